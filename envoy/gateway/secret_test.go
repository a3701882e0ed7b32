package gateway

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFindingsDoNotShowTheEnvironment puts a secret where a value is wrong: in no finding does any of it appear.
func TestFindingsDoNotShowTheEnvironment(t *testing.T) {
	const in = "\n"
	tests := map[string]struct{ text, want string }{
		"the campaigns' URL": {"campaigns: {url: \"ftp://c/${SECRET}\"}", "campaigns.url: is not an absolute http or https URL"},
		"a password in it":   {"campaigns: {url: \"http://u:${SECRET}@c/\"}", "campaigns.url: holds a password; secrets come from files (campaigns.header.value_file)"},
		"the keys' URL":      {"issuers: [{issuer: \"https://i\", client_ids: [a], jwks_url: \"${SECRET}\"}]", "issuers[0].jwks_url: is not an absolute http or https URL"},
		"the issuer, of which the keys' URL is made": {
			"issuers: [{issuer: \"${SECRET}\", client_ids: [a]}]", "issuers[0].jwks_url: is not an absolute http or https URL",
		},
		"an address":                      {"listener: {address: \"${SECRET}\"}", `listener.address: "${SECRET}" is not host:port`},
		"an address that is no IP":        {"listener: {address: \"${SECRET}:80\"}", `listener.address: "${SECRET}:80" is not an IP address: listeners bind to one (127.0.0.1, 0.0.0.0, ::)`},
		"an address that another follows": {"xds: {address: \"${SECRET}\"}", `xds.address: "${SECRET}" is not host:port` + in + "gateway.yaml:1: xds.connect: the default is not host:port"},
		"a public address":                {"admin: {address: \"${PUBLIC}\"}", `admin.address: "${PUBLIC}" is not a loopback address: configure admin.tls, or state admin.insecure: true`},
		"a default beside it":             {"listener: {address: \"${SECRET}${PORT:-:80}\"}", `listener.address: "${SECRET}${PORT:-:80}" is not an IP address: listeners bind to one (127.0.0.1, 0.0.0.0, ::)`},
		"a header's name":                 {"campaigns: {url: \"http://c\", header: {name: \"${SECRET}:\", value_file: f}}", `campaigns.header.name: "${SECRET}:" is not a header's name`},
		"a number":                        {"listener:\n  max_header_kib: ${PIN}", `listener.max_header_kib: "${PIN}" is not between 8 and 96`},
		"a time":                          {"listener:\n  idle_timeout: ${LONG}", `listener.idle_timeout: "${LONG}" is not between 1s and 24h0m0s`},
		"text as a number":                {"listener:\n  max_header_kib: ${SECRET}", "found text a value from the environment, want a whole number, 0 or more"},
		"text as a tagged number":         {"listener: {max_header_kib: !!int \"${SECRET}\"}", "cannot decode !!str a value from the environment as a !!int"},
		"text of lines as a number":       {"listener:\n  max_header_kib: ${LINES}", "gateway.yaml:2: found text a value from the environment, want a whole number, 0 or more"},
		"text with quotes as a number":    {"listener:\n  max_header_kib: ${QUOTES}", "found text a value from the environment, want a whole number, 0 or more"},
		"text as a time":                  {"listener:\n  idle_timeout: ${SECRET}", "cannot read a value from the environment as a time: write it with its unit, such as 15s"},
		"quotes as a time":                {"listener: {idle_timeout: \"${QUOTES}\"}", "cannot read a value from the environment as a time: write it with its unit, such as 15s"},
		"a negative time":                 {"listener:\n  idle_timeout: ${BACK}", "a value from the environment is a negative time"},
		"by an alias":                     {"envoy: {cluster: &s \"${SECRET}\"}\nlistener: {address: *s}", `listener.address: "${SECRET}" is not host:port`},
		"by an alias, as a number":        {"envoy: {cluster: &s \"${SECRET}\"}\nlistener: {max_connections: *s}", "found text a value from the environment, want a whole number, 0 or more"},
		"a stage":                         {"listener: {stage_prefixes: [\"${SECRET}\"]}", `listener.stage_prefixes[0]: "${SECRET}" is not one path segment such as /prod`},
		"a token's use":                   {"issuers: [{issuer: \"https://i\", client_ids: [a], token_uses: [\"${SECRET}\"]}]", `issuers[0].token_uses[0]: "${SECRET}" is neither access nor id`},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			text := tc.text
			for _, part := range []string{"issuers: [{issuer: \"https://i\", client_ids: [a]}]", "campaigns: {url: \"http://c\"}"} {
				if key := part[:7]; text[:7] != key {
					text += "\n" + part
				}
			}
			_, err := Parse("gateway.yaml", []byte(text), env(
				"SECRET", "hunter2", "PUBLIC", "203.0.113.7:80", "PIN", "4711", "LONG", "4711h", "BACK", "-4711s", "LINES", "hunt\ner2", "QUOTES", "hu`nt\"er2`\"hu"))
			require.Error(t, err)
			for _, secret := range []string{"hu", "er2", "4711", "203.0", "hunter"} {
				require.NotContains(t, err.Error(), secret)
			}
			require.Contains(t, err.Error(), tc.want)
		})
	}
}

// TestFindingsShowTheFile: what is written in the file helps to find what is wrong.
func TestFindingsShowTheFile(t *testing.T) {
	_, err := Parse("gateway.yaml", []byte(minimal+"listener: {address: here, served_by: \"${SECRET}\"}\n"), env("SECRET", "hunter2"))
	require.EqualError(t, err, `gateway.yaml:7: listener.address: "here" is not host:port`)
}
