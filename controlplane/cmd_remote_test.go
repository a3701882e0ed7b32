package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
	"adsidecar/controlplane/client"
	"adsidecar/envoy/gateway"
)

func TestAdminURL(t *testing.T) {
	tls := &gateway.AdminTLS{}
	for name, tc := range map[string]struct {
		admin gateway.Admin
		want  string
	}{
		"loopback":                      {gateway.Admin{Address: "127.0.0.1:9901"}, "http://127.0.0.1:9901"},
		"IPv6":                          {gateway.Admin{Address: "[::1]:9901"}, "http://[::1]:9901"},
		"loopback with a name":          {gateway.Admin{Address: "127.0.0.1:9901", Name: "ads.example.com"}, "http://127.0.0.1:9901"},
		"every address":                 {gateway.Admin{Address: "0.0.0.0:9901", Insecure: true}, "http://localhost:9901"},
		"every address, IPv6":           {gateway.Admin{Address: "[::]:9901", Insecure: true}, "http://localhost:9901"},
		"a certificate is for a name":   {gateway.Admin{Address: "0.0.0.0:9901", Name: "ads.example.com", TLS: tls}, "https://ads.example.com:9901"},
		"a certificate is for the rest": {gateway.Admin{Address: "10.0.0.1:9901", TLS: tls}, "https://10.0.0.1:9901"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, adminURL(&tc.admin)) })
	}
}

// TestWhichServer: a flag goes before the environment, and that before the configuration.
func TestWhichServer(t *testing.T) {
	flag, environment, configured := newFakeAPI(t, nil), newFakeAPI(t, nil), newFakeAPI(t, nil)
	file := filepath.Join(t.TempDir(), "gateway.yaml")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `
listener: {address: "127.0.0.1:1"}
admin: {address: %q}
campaigns: {file: campaigns.json}
issuers: [{issuer: https://idp.example.com, client_ids: [games]}]
`, strings.TrimPrefix(configured.URL, "http://")), 0o600))

	t.Setenv(serverVariable, environment.URL)
	require.Equal(t, 1, runCommand(t, "", "poll", "-c", file, "--server", flag.URL).code)
	require.Equal(t, 1, runCommand(t, "", "versions", "-c", file).code)
	t.Setenv(serverVariable, "")
	o := runCommand(t, "", "fleet", "-c", file)
	require.Contains(t, o.stderr, configured.URL)
	o = runCommand(t, "", "explain", "--live", "-c", file, "--country", "us", "--lang", "en")
	require.Contains(t, o.stderr, configured.URL)
	require.Equal(t, []string{"POST /source/poll"}, flag.seen())
	require.Equal(t, []string{"GET /versions"}, environment.seen())
	require.Equal(t, []string{"GET /fleet", "GET /explain?country=us&lang=en"}, configured.seen())

	o = runCommand(t, "", "fleet", "-c", "no.yaml")
	require.Equal(t, outcome{1, "", "adsidecar: no --server, no ADSIDECAR_SERVER, and no configuration to take the address from: open no.yaml: no such file or directory\n"}, o)
}

// TestExplainOfADocument asks nobody, whatever the environment says.
func TestExplainOfADocument(t *testing.T) {
	f := newFakeAPI(t, nil)
	t.Setenv(serverVariable, f.URL)
	file := filepath.Join(t.TempDir(), "gateway.yaml")
	require.NoError(t, os.WriteFile(file, []byte(`
listener: {address: "127.0.0.1:1"}
campaigns: {file: campaigns.json}
issuers: [{issuer: https://idp.example.com, client_ids: [games]}]
`), 0o600))
	o := runCommand(t, `{"ads":[]}`, "explain", "-c", file, "--country", "us", "--lang", "en", "--campaigns", "-")
	require.Equal(t, 0, o.code, o.stderr)
	require.Contains(t, o.stdout, "document: from stdin\n")
	require.Empty(t, f.seen())
}

func TestToken(t *testing.T) {
	folder := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	f := newFakeAPI(t, map[string]reply{"GET /fleet": {200, "{}"}})
	t.Setenv(tokenVariable, "of-the-environment")
	require.Equal(t, 0, runCommand(t, "", "fleet", "--server", f.URL, "--token-file", file("good", secretToken+"\r\n")).code)
	require.Equal(t, "Bearer "+secretToken, f.token)
	require.Equal(t, 0, runCommand(t, "", "fleet", "--server", f.URL).code)
	require.Equal(t, "Bearer of-the-environment", f.token)
	t.Setenv(tokenVariable, "")
	require.Equal(t, 0, runCommand(t, "", "fleet", "--server", f.URL).code)
	require.Empty(t, f.token)

	asked := len(f.seen())
	for name, tc := range map[string]struct{ path, err string }{
		"an empty file":     {file("empty", "\n"), "empty is empty"},
		"no file":           {filepath.Join(folder, "no"), "no such file or directory"},
		"a large file":      {file("large", strings.Repeat(secretToken, 2000)), "is larger than 16384 bytes"},
		"two tokens":        {file("two", secretToken+"\n"+secretToken), "token: has a character that no token has"},
		"a line of a table": {file("table", "kim operator "+secretToken), "token: has a character that no token has"},
	} {
		t.Run(name, func(t *testing.T) {
			o := runCommand(t, "", "fleet", "--server", f.URL, "--token-file", tc.path)
			require.Equal(t, 1, o.code)
			require.Contains(t, o.stderr, tc.err)
			require.NotContains(t, o.stderr, secretToken)
		})
	}
	require.Len(t, f.seen(), asked)
	t.Setenv(tokenVariable, secretToken)
	o := runCommand(t, "", "fleet", "--server", "http://192.0.2.1:9901")
	require.Equal(t, outcome{1, "", "adsidecar: server http://192.0.2.1:9901: a token may be read on the way over plain HTTP; use https, or --insecure where nobody else is on the network\n"}, o)
}

// TestNoAnswer: what to check is said where there is no answer to say it.
func TestNoAnswer(t *testing.T) {
	const refusing = "http://127.0.0.1:1" // a port that was free a moment ago may be somebody else's
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	encrypted := httptest.NewUnstartedServer(http.NotFoundHandler())
	encrypted.StartTLS()
	t.Cleanup(encrypted.Close)
	over := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	t.Cleanup(func() { close(over); slow.Close() })

	for name, tc := range map[string]struct{ server, hint string }{
		"nobody listens":              {refusing, "connection refused\nNothing listens there: check that the control plane runs (adsidecar serve), and --server or admin.address.\n"},
		"a certificate of nobody":     {encrypted.URL, "certificate signed by unknown authority\nIf the certificate is of a CA of your own, name it with --ca-file.\n"},
		"no TLS where it is expected": {strings.Replace(plain.URL, "http:", "https:", 1), "\nCheck --server: the address does not speak TLS; http:// may be meant.\n"},
		"no answer":                   {slow.URL, "no answer within 300ms: context deadline exceeded\nThe control plane is there but slow, or the network drops what is sent: check --server, or give it longer with --timeout.\n"},
		"TLS where none is expected":  {strings.Replace(encrypted.URL, "https:", "http:", 1), "status 400 Bad Request\nCheck --server: what answers there may not be a control plane of this version.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			timeout := "20s"
			if tc.server == slow.URL {
				timeout = "300ms"
			}
			o := runCommand(t, "", "fleet", "--server", tc.server, "--timeout", timeout)
			require.Equal(t, 1, o.code)
			require.Empty(t, o.stdout)
			require.True(t, strings.HasSuffix(o.stderr, tc.hint), o.stderr)
		})
	}
}

// TestALargeDocumentIsStreamed: it is sent while it is still being written.
func TestALargeDocumentIsStreamed(t *testing.T) {
	const rest = "   ]}"
	head := `{"ads":[` + strings.Repeat(" ", maxOne)
	arrived := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first := make([]byte, len(head))
		if _, err := io.ReadFull(r.Body, first); err != nil {
			return
		}
		close(arrived)
		left, err := io.ReadAll(r.Body)
		if err == nil && string(first) == head && string(left) == rest {
			_, _ = io.WriteString(w, `{"revision":3}`)
		}
	}))
	t.Cleanup(server.Close)
	stdin, writer := io.Pipe()
	go func() {
		_, _ = io.WriteString(writer, head+" ") // the command fails if it does not arrive
		select {
		case <-arrived:
			_, _ = io.WriteString(writer, rest[1:])
			_ = writer.Close()
		case <-time.After(patience):
			_ = writer.CloseWithError(fmt.Errorf("nothing arrived"))
		}
	}()
	r := remote{server: server.URL, timeout: time.Minute, output: outputTable}
	var out bytes.Buffer
	cmd := r.command(&cobra.Command{Use: "x"}, nil)
	cmd.SetIn(stdin)
	cmd.SetOut(&out)
	r.server = server.URL
	s, err := r.session(cmd)
	require.NoError(t, err)
	require.NoError(t, s.withInput("-", func(in *input) error { return s.load(t.Context(), in, client.ImportOptions{}) }))
	require.Contains(t, out.String(), "Saved as revision 3.\n")
}

func TestInputOfAFile(t *testing.T) {
	one := `{"id":"a","name":"` + strings.Repeat("x", 2*campaign.MaxOneBytes) + `"}`
	in, err := readInput(strings.NewReader(one), 0)
	require.NoError(t, err)
	require.Equal(t, "a", in.one.id)

	long := `{"id":"a","name":"` + strings.Repeat("x", maxOne) + `"}`
	in, err = readInput(strings.NewReader(long), 7)
	require.NoError(t, err)
	require.Nil(t, in.one)
	sent, err := io.ReadAll(in.document)
	require.NoError(t, err)
	require.Equal(t, long, string(sent), "it is for the server to refuse")

	file := filepath.Join(t.TempDir(), "ads.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"ads":[]}`), 0o600))
	f := newFakeAPI(t, map[string]reply{"POST /document": {200, "{}"}})
	require.Equal(t, 0, runCommand(t, "", "campaigns", "apply", "-f", file, "--server", f.URL).code)
	require.Equal(t, []string{"POST /document\n  {\"ads\":[]}", "GET /summary"}, f.seen())
}

// TestHelpOfEveryCommand: each says what it is for and shows how it is used, and none takes a token.
func TestHelpOfEveryCommand(t *testing.T) {
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		for _, c := range cmd.Commands() {
			require.True(t, strings.HasSuffix(c.Short, "."), c.CommandPath())
			require.NotEmpty(t, c.Example+c.Long, c.CommandPath())
			require.Nil(t, c.Flags().Lookup("token"), c.CommandPath())
			if c.Flags().Lookup("token-file") != nil {
				require.Contains(t, c.Example, c.CommandPath(), c.CommandPath())
				if c.Name() != "explain" {
					require.Contains(t, c.Long, "Exit code: 0 done, 1 refused or failed, 2 wrong command line, 3 conflict", c.CommandPath())
				}
			}
			visit(c)
		}
	}
	visit(command())
}
