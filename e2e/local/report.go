package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"adsidecar/e2e/stack"
)

// demoUser is the body of a sign-in.
const demoUser = `{"username":"` + stack.Username + `","password":"` + stack.Password + `"}`

// report says what runs where and how to call it, with an answer that was just given.
func (l *local) report(ctx context.Context, took time.Duration) error {
	path, answer, err := anAd(keys(filepath.Join(l.dir, sourceFile)), func(country, lang string) (*stack.Answer, error) {
		return l.stack.Get(ctx, country, lang)
	})
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nup after %s\n\n", took.Round(100*time.Millisecond))
	l.table(&b)
	fmt.Fprintf(&b, "\nAsk for an ad (the token lives an hour):\n\n  curl -H 'Authorization: Bearer %s' '%s%s'\n\n%d %s\n",
		l.stack.Token(), l.baseURL(), path, answer.Status, answer.Body)
	if answer.Status != http.StatusOK {
		b.WriteString("(no campaign of the document runs at this hour)\n")
	}
	fmt.Fprintf(&b, "\nSign in, or up with another name (the id_token is for /create, /read and /update too):\n\n  curl -d '%s' '%s/authenticate'\n",
		demoUser, l.baseURL())
	dir := l.relative(l.dir)
	fmt.Fprintf(&b, `
In another terminal:
  set -a; . %[1]s/%[2]s; set +a              # URLs, the demo user, process numbers
  python3 examples/ad_client.py us eng   # signs in and asks for an ad
  curl -s $CONTROLPLANE_URL/api/v1/status
Edit %[1]s/%[3]s: the answers follow within two seconds.
Ctrl-C stops everything.`, dir, envFile, sourceFile)
	l.say("%s", b.String())
	return nil
}

func (l *local) table(b *strings.Builder) {
	s := l.stack
	process := func(p *stack.Process) string { return fmt.Sprint(p.PID()) }
	var padded strings.Builder
	w := tabwriter.NewWriter(&padded, 0, 0, 3, ' ', 0)
	for _, row := range [][4]string{
		{"PART", "WHERE", "PROCESS", "LOG OR FILE"},
		{"gateway (Envoy)", l.baseURL(), process(s.Envoy().Process()), l.relative(s.Envoy().LogFile)},
		{"Envoy's admin", s.Envoy().AdminURL, "", ""},
		{"control plane", s.ControlPlane().URL, process(s.ControlPlane().Process()), l.relative(s.ControlPlane().LogFile)},
		{"  for Envoys", s.ControlPlane().XDSAddress + " (xDS)", "", ""},
		{"user service", s.Users().URL, process(s.Users().Process()), l.relative(s.Users().LogFile)},
		{"  its records", l.records(), "", ""},
		{"Cognito (moto)", s.Moto.Endpoint, process(s.Moto.Process), l.relative(filepath.Join(l.dir, "moto.log"))},
		{"campaign source", s.Source.URL(), fmt.Sprint(os.Getpid()), l.relative(filepath.Join(l.dir, sourceFile))},
	} {
		_, _ = fmt.Fprintln(w, strings.Join(row[:], "\t")) // into memory
	}
	_ = w.Flush()
	for line := range strings.Lines(padded.String()) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
}

// records says where user records are. Both stores are empty at each start, as Cognito is: users that come back have other owners' IDs.
func (l *local) records() string {
	if l.store == stack.DynamoDB {
		return fmt.Sprintf("table %s at %s, new at each start", l.stack.UsersTable, l.stack.Moto.Endpoint)
	}
	return l.relative(l.stack.UsersFile()) + ", new at each start"
}

// anAd asks for one key after the other until one has an ad at this hour, and returns the last answer in any case.
func anAd(keys [][2]string, ask func(country, lang string) (*stack.Answer, error)) (path string, answer *stack.Answer, err error) {
	for _, key := range keys {
		path = stack.AdPath(key[0], key[1])
		if answer, err = ask(key[0], key[1]); err != nil {
			return "", nil, fmt.Errorf("ask for an ad: %w", err)
		}
		if answer.Status == http.StatusOK {
			break
		}
	}
	return path, answer, nil
}

// keys are the countries and languages of the document, after the one that the documentation uses. The file is the operator's: what
// cannot be read has no keys, and the control plane's status says why.
func keys(file string) [][2]string {
	found := [][2]string{{"us", "eng"}}
	var document struct {
		Ads []struct{ Country, Lang string }
	}
	data, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(data, &document) != nil {
		return found
	}
	seen := map[[2]string]bool{found[0]: true}
	for _, ad := range document.Ads {
		key := [2]string{strings.ToLower(ad.Country), strings.ToLower(ad.Lang)}
		if !seen[key] {
			seen[key] = true
			found = append(found, key)
		}
	}
	return found
}

// relative is path as seen from the repository's root, where one starts this.
func (l *local) relative(path string) string {
	if rel, err := filepath.Rel(l.root, path); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return path
}
