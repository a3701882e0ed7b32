package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/refmodel"
	"adsidecar/e2e/stack"
)

// command is a call of bin/adsidecar, in dir.
type command struct {
	dir   string
	env   []string
	stdin string
}

type result struct {
	code           int
	stdout, stderr string
}

func (c command) run(t *testing.T, args ...string) result {
	t.Helper()
	cmd := exec.CommandContext(deadline(t, time.Minute), programs.Adsidecar, args...)
	cmd.Dir, cmd.Env, cmd.Stdin = c.dir, append(os.Environ(), c.env...), strings.NewReader(c.stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	require.True(t, err == nil || errors.As(err, &exit), "%v", err)
	r := result{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
	require.NotContains(t, r.stderr, "panic:", args)
	require.NotContains(t, r.stderr, "goroutine ", args)
	return r
}

// require checks the exit code, and what stdout and stderr are. An empty text is not looked at where the code says that there is one.
func (r result) require(t *testing.T, code int, stdout, stderr string) {
	t.Helper()
	require.Equal(t, code, r.code, "%s%s", r.stdout, r.stderr)
	if stdout != "" || code != 0 {
		require.Equal(t, stdout, r.stdout)
	}
	require.Equal(t, stderr, r.stderr)
}

// files writes files into a new folder.
func files(t *testing.T, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range texts {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

const goodGateway = `issuers:
- issuer: https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_EXAMPLE
  client_ids: [web]
campaigns:
  file: campaigns.json
`

const (
	goodCampaigns = `{"ads":[
{"id":"b","video_url":"https://v/b","country":"US","lang":"en","start_hour":7,"end_hour":7},
{"id":"a","video_url":"https://v/a","country":"us","lang":"eng","start_hour":22,"end_hour":2},
{"id":"c","video_url":"https://v/c","country":"uk","lang":"eng","start_hour":0,"end_hour":24}
]}`
	badCampaigns = `{"ads":[
{"id":"a","video_url":"https://v/a","country":"us","lang":"eng","start_hour":0,"end_hour":24},
{"id":"b","video_url":"ftp://v/b","country":"us","lang":"eng","start_hour":0,"end_hour":24},
7,

{"id":"a","video_url":"https://v/a2","country":"us","lang":"eng","start_hour":0,"end_hour":24},
{"id":"d","video_url":"https://v/d","country":"us","lang":"eng","start_hour":0,"end_hour":25},
{"id":"e","video_url":"https://v/e","country":"us","lang":"eng","start_hour":0}
]}`
	badFindings = `%[1]s:3: ad 2 video_url (b): invalid_url: WHY
%[1]s:4: ad 3: wrong_type: WHY
%[1]s:6: ad 4 id (a): duplicate: WHY
%[1]s:7: ad 5 end_hour (d): out_of_range: WHY
%[1]s:8: ad 6 end_hour (e): missing_field: WHY
`
)

// plain is an output without what is not this program's to decide: the test's folder, the index's version and size, the wording of
// what is wrong with a campaign, a document's age.
func plain(text, dir string) string {
	for pattern, by := range map[string]string{
		`(?m)^(\S+): (\d+ ads, \d+ rejected); index [0-9a-f]{32}, (\d+ pairs) of country and language, \d+ bytes$`: "$1: $2, $3",
		`(?m)^(\S+:\d+: ad \d.*?: [a-z_]+): .+$`:                                  "$1: WHY",
		`(?m)^(\S+\.json:\d+:\d+|stdin:\d+:\d+): .+$`:                             "$1: WHY",
		`(?m)^(ad \d+ .*?): .+$`:                                                  "$1: WHY",
		`(?m)^(document: )of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(\d\S*s old\), `: "${1}AGE ",
	} {
		text = regexp.MustCompile(pattern).ReplaceAllString(text, by)
	}
	return strings.ReplaceAll(text, dir, "DIR")
}

// TestValidateCommand: every finding has its place, and the exit code tells.
func TestValidateCommand(t *testing.T) {
	dir := files(t, map[string]string{
		"gateway.yaml":   goodGateway,
		"unknown.yaml":   "listener:\n  port: 80\n" + goodGateway + "  poll: 1s\n",
		"values.yaml":    goodGateway + "  poll_interval: 1ms\nroutes:\n- {prefix: /game, upstream: nobody}\nxds:\n  address: 0.0.0.0:18000\n",
		"type.yaml":      goodGateway + "listener:\n  max_connections: many\n",
		"text.yaml":      "issuers: [\n",
		"unset.yaml":     strings.ReplaceAll(goodGateway, "[web]", "[\"${NOT_SET_ANYWHERE}\"]"),
		"secret.yaml":    strings.ReplaceAll(goodGateway, "file: campaigns.json", "url: \"htp://c/?key=${VALIDATE_SECRET}\""),
		"elsewhere.yaml": strings.ReplaceAll(goodGateway, "file: campaigns.json", "url: http://127.0.0.1:1/ads.json"),
		"good.json":      goodCampaigns, "campaigns.json": goodCampaigns, "bad.json": badCampaigns,
		"broken.json": "{\"ads\":[\n{\"id\":\"a\",}]}", "page.json": "<html></html>", "none.json": `{"Ads":[]}`, "empty.json": `{"ads":[]}`,
	})
	for name, tc := range map[string]struct {
		args           []string
		stdin          string
		code           int
		stdout, stderr string // in plain form
	}{
		"a configuration":  {args: []string{"-c", "gateway.yaml"}, stdout: "gateway.yaml: ok\n"},
		"the default file": {stdout: "gateway.yaml: ok\n"},
		"unknown keys": {args: []string{"-c", "unknown.yaml"}, code: 1, stdout: "unknown.yaml:2: listener.port: unknown key; known here: access_log, address, headers_timeout, " +
			"idle_timeout, max_connection_age, max_connections, max_header_kib, request_timeout, served_by, stage_prefixes, trusted_hops\n" +
			"unknown.yaml:8: campaigns.poll: unknown key; known here: ca_file, file, header, max_document_mib, max_index_mib, operators, poll_interval, s3, state_dir, timeout, url\n" +
			"unknown.yaml: findings: 2\n"},
		"wrong values, xds for all the world among them": {args: []string{"-c", "values.yaml"}, code: 1, stdout: "values.yaml:6: campaigns.poll_interval: 1ms is not between 100ms and 24h0m0s\n" +
			"values.yaml:8: routes[0].upstream: no upstream is named \"nobody\"\n" +
			"values.yaml:10: xds.address: 0.0.0.0:18000 is not a loopback address: configure xds.tls, or state xds.insecure: true\n" +
			"values.yaml: findings: 3\n"},
		"a wrong type": {args: []string{"-c", "type.yaml"}, code: 1, stdout: "type.yaml:7: found text `many`, want a whole number, 0 or more\ntype.yaml: findings: 1\n"},
		"no YAML":      {args: []string{"-c", "text.yaml"}, code: 1, stdout: "text.yaml:1: did not find expected node content\ntext.yaml: findings: 1\n"},
		"an unset variable": {args: []string{"-c", "unset.yaml"}, code: 1, stdout: "unset.yaml:3: environment variable NOT_SET_ANYWHERE is not set (a default is written ${NOT_SET_ANYWHERE:-value})\n" +
			"unset.yaml: findings: 1\n"},
		"a secret in a value that is wrong": {
			args: []string{"-c", "secret.yaml"}, code: 1,
			stdout: "secret.yaml:5: campaigns.url: is not an absolute http or https URL\nsecret.yaml: findings: 1\n",
		},
		"no such file": {args: []string{"-c", "no.yaml"}, code: 1, stderr: "adsidecar: open no.yaml: no such file or directory\n"},
		"a folder":     {args: []string{"-c", "."}, code: 1, stderr: "adsidecar: read .: read .: is a directory\n"},

		"good campaigns":       {args: []string{"--campaigns", "good.json"}, stdout: "gateway.yaml: ok\ngood.json: 3 ads, 0 rejected, 2 pairs\n"},
		"no campaigns":         {args: []string{"--campaigns", "empty.json"}, stdout: "gateway.yaml: ok\nempty.json: 0 ads, 0 rejected, 0 pairs\n"},
		"bad campaigns":        {args: []string{"--campaigns", "bad.json"}, code: 1, stdout: "gateway.yaml: ok\n" + fmt.Sprintf(badFindings, "bad.json") + "bad.json: 1 ads, 5 rejected, 1 pairs\n"},
		"campaigns from stdin": {args: []string{"--campaigns", "-"}, stdin: badCampaigns, code: 1, stdout: "gateway.yaml: ok\n" + fmt.Sprintf(badFindings, "stdin") + "stdin: 1 ads, 5 rejected, 1 pairs\n"},
		"more bad campaigns than are described": {
			args: []string{"--campaigns", "-"}, stdin: `{"ads":[` + strings.Repeat("7,", 1004) + `{"id":"a"}]}`, code: 1,
			stdout: "gateway.yaml: ok\n" + manyFindings() + "stdin: and 5 more rejected ads\nstdin: 0 ads, 1005 rejected, 0 pairs\n",
		},
		"nothing on stdin":   {args: []string{"--campaigns", "-"}, code: 1, stdout: "gateway.yaml: ok\nstdin:1:1: WHY\nstdin: unusable as a whole\n"},
		"campaigns that end": {args: []string{"--campaigns", "broken.json"}, code: 1, stdout: "gateway.yaml: ok\nbroken.json:2:11: WHY\nbroken.json: unusable as a whole\n"},
		"a page of HTML":     {args: []string{"--campaigns", "page.json"}, code: 1, stdout: "gateway.yaml: ok\npage.json:1:1: WHY\npage.json: unusable as a whole\n"},
		"no list of ads":     {args: []string{"--campaigns", "none.json"}, code: 1, stdout: "gateway.yaml: ok\nnone.json:1:1: WHY\nnone.json: unusable as a whole\n"},
		"no such campaigns":  {args: []string{"--campaigns", "no.json"}, code: 1, stdout: "gateway.yaml: ok\n", stderr: "adsidecar: .*no\\.json: no such file or directory\n"},

		"the source's campaigns": {args: []string{"--source"}, stdout: "gateway.yaml: ok\nDIR/campaigns.json: 3 ads, 0 rejected, 2 pairs\n"},
		"a source that is down": {
			args: []string{"--source", "-c", "elsewhere.yaml"}, code: 1, stdout: "elsewhere.yaml: ok\n",
			stderr: "adsidecar: .*http://127\\.0\\.0\\.1:1/ads\\.json.*connection refused\n",
		},
		"two sources": {args: []string{"--source", "--campaigns", "-"}, code: 2, stderr: "adsidecar: --campaigns and --source exclude each other\n"},
	} {
		t.Run(name, func(t *testing.T) {
			r := command{dir: dir, stdin: tc.stdin, env: []string{"VALIDATE_SECRET=hunter2"}}.run(t, append([]string{"validate"}, tc.args...)...)
			require.Equal(t, tc.stdout, plain(r.stdout, dir))
			require.Regexp(t, "^"+tc.stderr+"$", plain(r.stderr, dir))
			require.Equal(t, tc.code, r.code)
		})
	}
}

// manyFindings are as many as validate describes, for ads that are numbers.
func manyFindings() string {
	var b strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&b, "stdin:1: ad %d: wrong_type: WHY\n", i+1)
	}
	return b.String()
}

// TestExplainCommand: the answer of a key at a time, and the reasons.
func TestExplainCommand(t *testing.T) {
	dir := files(t, map[string]string{"gateway.yaml": goodGateway, "campaigns.json": goodCampaigns, "bad.json": badCampaigns, "page.json": "<html>"})
	c := command{dir: dir}
	for name, tc := range map[string]struct {
		args           string
		code           int
		stdout, stderr string
	}{
		"in the middle of a window": {args: "--country us --lang eng --at 2026-12-24T23:59:59Z", stdout: `document: AGE from the source DIR/campaigns.json
country us, lang eng (en eng), 2026-12-24 23:59 UTC
key us/eng answers, ads eligible: 2

TURN  ID  HOURS    URL
1     a   22-02    https://v/a
2     b   all day  https://v/b
`},
		"at a window's end, by another spelling and an offset": {args: "--country US --lang EN --at 2026-12-25T04:00:00+02:00", stdout: `document: AGE from the source DIR/campaigns.json
country us, lang eng (en eng), 2026-12-25 02:00 UTC
key us/eng answers, ads eligible: 1

TURN  ID  HOURS    URL
1     b   all day  https://v/b

WAITING  HOURS  REASON        NEXT
a        22-02  out_of_hours  2026-12-25 22:00 UTC
`},
		"a key without campaigns": {args: "--country fr --lang fr --at 2026-12-24T00:00:00Z", stdout: "document: AGE from the source DIR/campaigns.json\ncountry fr, lang fra (fr fra fre), 2026-12-24 00:00 UTC\n" +
			"no campaign has this key: 404 no_ad_available\n"},
		"the rejected ads of a key": {args: "--country us --lang eng --at 2026-12-24T00:00:00Z --campaigns bad.json", stdout: `document: AGE from bad.json
country us, lang eng (en eng), 2026-12-24 00:00 UTC
key us/eng answers, ads eligible: 1

TURN  ID  HOURS    URL
1     a   all day  https://v/a

REJECTED  LINE  ID  REASON     DETAIL
ad 2      3     b   invalid    invalid_url video_url: WHY
ad 4      6     a   duplicate  duplicate id: WHY
ad 5      7     d   invalid    out_of_range end_hour: WHY
ad 6      8     e   invalid    missing_field end_hour: WHY
`},
		"two documents": {
			args: "--country us --lang en --campaigns - --last-good", code: 2, stderr: "adsidecar: --campaigns and --last-good exclude each other\n",
		},
		"no last good document": {args: "--country us --lang en --last-good", code: 1, stderr: "adsidecar: no last good document: .*state/last-good: no such file or directory\n"},
		"wrong parameters":      {args: "--country usa --lang e", code: 2, stderr: "adsidecar: explain: country must be 2 ASCII letters, is \"usa\"\nlang must be 2 or 3 ASCII letters, is \"e\"\n"},
		"no parameters":         {code: 2, stderr: "adsidecar: explain: country is missing\nlang is missing\n"},
		"a time that is none":   {args: "--country us --lang en --at noon", code: 2, stderr: "adsidecar: --at: \"noon\" is not a time such as 2026-12-24T23:59:59Z\n"},
		"unusable campaigns":    {args: "--country us --lang en --campaigns page.json", code: 1, stderr: "adsidecar: .*page\\.json: line 1, column 1: .+\n"},
		"no such campaigns":     {args: "--country us --lang en --campaigns no.json", code: 1, stderr: "adsidecar: .*no\\.json: no such file or directory\n"},
		"no such configuration": {args: "--country us --lang en -c no.yaml", code: 1, stderr: "adsidecar: open no.yaml: no such file or directory\n"},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.run(t, append([]string{"explain"}, strings.Fields(tc.args)...)...)
			require.Equal(t, tc.stdout, plain(r.stdout, dir))
			require.Regexp(t, "^"+tc.stderr+"$", plain(r.stderr, dir))
			require.Equal(t, tc.code, r.code)
		})
	}
	t.Run("without a time it is now, and its JSON is for programs", func(t *testing.T) {
		var e struct {
			Document           map[string]string
			Country, Lang, Key string
			At                 time.Time
			Eligible, Waiting  []struct {
				ID        string
				VideoURL  string `json:"video_url"`
				Reason    string
				NextStart time.Time `json:"next_eligible"`
			}
			Rejected []any
		}
		before := time.Now().Truncate(time.Minute)
		r := command{dir: dir, stdin: goodCampaigns}.run(t, "explain", "--country", "uk", "--lang", "en", "--json", "--campaigns", "-")
		require.Equal(t, 0, r.code, r.stderr)
		require.NoError(t, json.Unmarshal([]byte(r.stdout), &e))
		require.Equal(t, map[string]string{"from": "campaigns", "location": "stdin"}, e.Document)
		require.Equal(t, []any{"gb", "eng", "gb/eng"}, []any{e.Country, e.Lang, e.Key})
		require.False(t, e.At.Before(before) || e.At.After(time.Now()), e.At)
		require.Len(t, e.Eligible, 1)
		require.Equal(t, "https://v/c", e.Eligible[0].VideoURL)
		require.Equal(t, []int{0, 0}, []int{len(e.Waiting), len(e.Rejected)})
	})
	t.Run("the sample campaigns, as the reference model has them", func(t *testing.T) {
		sample, err := os.ReadFile(filepath.Join(tools.Root, "compose", "campaigns.json"))
		require.NoError(t, err)
		model, err := refmodel.New(sample)
		require.NoError(t, err)
		at, asked := time.Date(2026, 12, 24, 13, 59, 59, 0, time.UTC), map[string]bool{}
		for _, ad := range model.Ads() {
			key := ad.Country + ad.Lang
			if asked[key] {
				continue
			}
			asked[key] = true
			r := command{dir: dir, stdin: string(sample)}.run(t, "explain", "--country", ad.Country, "--lang", ad.Lang, "--at", at.Format(time.RFC3339), "--json", "--campaigns", "-")
			var e struct{ Eligible []struct{ ID string } }
			require.NoError(t, json.Unmarshal([]byte(r.stdout), &e))
			var want, got []string
			for _, a := range model.Eligible(ad.Country, ad.Lang, at) {
				want = append(want, a.ID)
			}
			for _, a := range e.Eligible {
				got = append(got, a.ID)
			}
			require.Equal(t, want, got, "%s/%s", ad.Country, ad.Lang)
		}
		require.Len(t, asked, 13)
	})
}

// TestExplainWithoutItsSource: what is served is explained where the source cannot be, and the answer says what it is about.
func TestExplainWithoutItsSource(t *testing.T) {
	s := start(t, stack.Options{NoEnvoy: true, Campaigns: []byte(goodCampaigns)})
	plane := s.ControlPlane()
	require.NoError(t, plane.WaitReady(deadline(t, 30*time.Second)))
	eventually(t, 20*time.Second, func(context.Context) error {
		_, err := os.Stat(filepath.Join(plane.StateDir, "last-good"))
		return err
	})
	c := command{dir: s.Dir}
	explain := func(t *testing.T, args ...string) result {
		t.Helper()
		return c.run(t, append([]string{"explain", "-c", plane.ConfigFile, "--country", "us", "--lang", "en", "--at", "2026-12-24T12:00:00Z"}, args...)...)
	}
	first := func(r result) string { line, _, _ := strings.Cut(plain(r.stdout, s.Dir), "\n"); return line }
	disk := "document: AGE from the last good one in " + plain(plane.StateDir, s.Dir)

	r := explain(t)
	require.Regexp(t, `^document: AGE from the source http://127\.0\.0\.1:\d+/\S+$`, first(r))
	require.Contains(t, r.stdout, "https://v/b")
	require.NoError(t, plane.Stop())
	s.Source.SetBody([]byte(strings.ReplaceAll(goodCampaigns, "https://v/b", "https://v/new")))
	t.Run("the source's document is explained, which may be one that is not published", func(t *testing.T) {
		r := explain(t)
		require.Contains(t, first(r), " from the source ")
		require.Contains(t, r.stdout, "https://v/new")
	})
	t.Run("with --last-good it is the one on disk", func(t *testing.T) {
		r := explain(t, "--last-good")
		require.Equal(t, disk, first(r))
		require.Contains(t, r.stdout, "https://v/b")
	})
	for name, tc := range map[string]struct {
		fail func()
		why  string
	}{
		"the source is down":                   {func() { s.Source.SetMode(stack.SourceFails) }, `status 500`},
		"the source's document cannot be used": {func() { s.Source.SetMode(stack.SourceServes); s.Source.SetBody([]byte("<html>")) }, `line 1, column 1: invalid character`},
	} {
		t.Run(name+": the one on disk is explained, and why", func(t *testing.T) {
			tc.fail()
			r := explain(t)
			require.Equal(t, 0, r.code, r.stderr)
			require.Regexp(t, "^"+regexp.QuoteMeta(disk)+", because .*"+tc.why, first(r))
			require.Contains(t, r.stdout, "https://v/b")
			r = explain(t, "--json")
			var e struct {
				Document struct {
					From, Location, Instead string
					SourceTime              time.Time `json:"source_time"`
				}
				Eligible []struct{ ID string }
			}
			require.NoError(t, json.Unmarshal([]byte(r.stdout), &e))
			require.Equal(t, []string{"last_good", plane.StateDir}, []string{e.Document.From, e.Document.Location})
			require.Regexp(t, tc.why, e.Document.Instead)
			require.WithinDuration(t, time.Now(), e.Document.SourceTime, 5*time.Minute)
			require.Len(t, e.Eligible, 1)
		})
	}
	t.Run("neither is there", func(t *testing.T) {
		require.NoError(t, os.RemoveAll(plane.StateDir))
		r := explain(t)
		require.Equal(t, 1, r.code)
		require.Empty(t, r.stdout)
		require.Regexp(t, `^adsidecar: .*; and no last good document: .*no such file or directory\n$`, r.stderr)
	})
}
