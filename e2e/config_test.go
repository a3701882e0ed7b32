package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

// authority is a CA of a test. Its files are PEM.
type authority struct {
	dir    string
	caFile string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	a.key, a.caFile = key, filepath.Join(a.dir, "ca.pem")
	writePEM(t, a.caFile, "CERTIFICATE", der)
	return a
}

// issue makes a certificate for these host names and IP addresses, and returns its files. A name that was issued before is renewed: its
// files are replaced.
func (a *authority) issue(t *testing.T, name string, serial int64, hosts ...string) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	certFile, keyFile = filepath.Join(a.dir, name+".pem"), filepath.Join(a.dir, name+".key")
	writePEM(t, certFile, "CERTIFICATE", der)
	writePEM(t, keyFile, "PRIVATE KEY", keyDER)
	return certFile, keyFile
}

func writePEM(t *testing.T, file, kind string, der []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
}

// smallModule is the least that Envoy takes for a filter. Its compiler needs seconds for the real one, which every other test runs.
const smallModule = "\x00asm\x01\x00\x00\x00" +
	"\x01\x09\x02\x60\x00\x00\x60\x01\x7f\x01\x7f" + // two types: () and (i32) i32
	"\x03\x03\x02\x00\x01" + // a function of each
	"\x05\x03\x01\x00\x01" + // a page of memory
	"\x07\x2d\x03\x06memory\x02\x00\x17proxy_abi_version_0_2_0\x00\x00\x06malloc\x00\x01" +
	"\x0a\x09\x02\x02\x00\x0b\x04\x00\x41\x00\x0b" // they do nothing

// realFiles replaces the files that a bootstrap names, which are somebody else's, by ones that are there.
func realFiles(t *testing.T, bootstrap string) []byte {
	t.Helper()
	ca := newAuthority(t, "golden")
	cert, key := ca.issue(t, "envoy", 2, "envoy.internal")
	module := filepath.Join(ca.dir, "small.wasm")
	require.NoError(t, os.WriteFile(module, []byte(smallModule), 0o600))
	files := map[string]string{"trusted_ca": ca.caFile, "certificate_chain": cert, "private_key": key, "local": module}
	var doc any
	require.NoError(t, yaml.Unmarshal([]byte(bootstrap), &doc))
	var replace func(v any, parent string)
	replace = func(v any, parent string) {
		switch v := v.(type) {
		case map[string]any:
			for name, value := range v {
				if name == "filename" {
					require.Contains(t, files, parent, "%v is a file of an unknown kind", value)
					v[name] = files[parent]
				}
				replace(value, name)
			}
		case []any:
			for _, value := range v {
				replace(value, parent)
			}
		}
	}
	replace(doc, "")
	out, err := yaml.Marshal(doc)
	require.NoError(t, err)
	return out
}

var complaint = regexp.MustCompile(`(?m)^.*(\[(warning|error|critical)\]|(?i:deprecated)).*$`)

// requireValid lets Envoy check a bootstrap, and takes no complaint.
func requireValid(t *testing.T, bootstrap string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "envoy.yaml")
	require.NoError(t, os.WriteFile(file, realFiles(t, bootstrap), 0o600))
	out, err := exec.CommandContext(deadline(t, 2*time.Minute), tools.Envoy, "--mode", "validate", "--disable-hot-restart", "-c", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "OK")
	require.Empty(t, complaint.FindAllString(string(out), -1), "%s", out)
}

// TestGoldenBootstrapsAreEnvoys: what the builders' golden files hold is what Envoy takes, without a word about it.
func TestGoldenBootstrapsAreEnvoys(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(tools.Root, "envoy", "testdata", "out", "*.yaml"))
	require.NoError(t, err)
	kinds := map[bool]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var b struct {
			Node   map[string]any
			Static struct{ Listeners []any } `yaml:"static_resources"`
		}
		require.NoError(t, yaml.Unmarshal(text, &b))
		if b.Node == nil {
			continue // a resource, not a bootstrap
		}
		kinds[len(b.Static.Listeners) > 0]++
		t.Run(filepath.Base(file), func(t *testing.T) { requireValid(t, string(text)) })
	}
	require.GreaterOrEqual(t, kinds[true], 3, "static ones")
	require.GreaterOrEqual(t, kinds[false], 3, "dynamic ones")
}

// TestEnvoyComplaintsAreFound: the check above fails for what it is there for.
func TestEnvoyComplaintsAreFound(t *testing.T) {
	file := filepath.Join(t.TempDir(), "envoy.yaml")
	require.NoError(t, os.WriteFile(file, []byte(`
static_resources:
  clusters:
  - name: c
    type: STRICT_DNS
    connect_timeout: 1s
    http2_protocol_options: {}
    load_assignment: {cluster_name: c, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: a.internal, port_value: 1}}}}]}]}
`), 0o600))
	out, err := exec.CommandContext(deadline(t, 2*time.Minute), tools.Envoy, "--mode", "validate", "--disable-hot-restart", "-c", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NotEmpty(t, complaint.FindAllString(string(out), -1), "%s", out)
}

const withComments = "docs/gateway.yaml, with what is commented out"

// documented are the gateways of the documents, by file.
func documented(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range []string{"docs/gateway.yaml", "compose/gateway.yaml"} {
		text, err := os.ReadFile(filepath.Join(tools.Root, filepath.FromSlash(name)))
		require.NoError(t, err)
		all[name] = string(text)
	}
	all[withComments] = regexp.MustCompile(`(?m)^  # ( *[a-z_]+:)`).ReplaceAllString(all["docs/gateway.yaml"], "  $1")
	require.NotEqual(t, all["docs/gateway.yaml"], all[withComments])

	readme, err := os.ReadFile(filepath.Join(tools.Root, "README.md"))
	require.NoError(t, err)
	// A block in a list is indented, and its end as far as its beginning.
	for _, block := range regexp.MustCompile("(?ms)^( *)```yaml\n(.*?)^ *```$").FindAllStringSubmatch(string(readme), -1) {
		all["README.md"] = strings.ReplaceAll("\n"+block[2], "\n"+block[1], "\n")
		require.Contains(t, all["README.md"], "\nissuers:", "each yaml block of the README is a gateway")
	}
	require.Contains(t, all, "README.md")
	return all
}

// TestDocumentedGatewaysWork: what a reader copies is valid, for the program and for Envoy.
func TestDocumentedGatewaysWork(t *testing.T) {
	environment := []string{
		"ISSUER=http://127.0.0.1:5000/us-east-1_local", "JWKS_URL=http://127.0.0.1:5000/us-east-1_local/keys", "CLIENT_ID=game",
		"USERS_CLIENT_ID=users", "COGNITO_ENDPOINT=http://127.0.0.1:5000", "SOURCE_URL=http://127.0.0.1:5001/ads.json",
	}
	for name, text := range documented(t) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "gateway.yaml"), []byte(text), 0o600))
			c := command{dir: dir, env: environment}
			c.run(t, "validate").require(t, 0, "gateway.yaml: ok\n", "")
			dynamic := c.run(t, "bootstrap")
			dynamic.require(t, 0, "", "")
			requireValid(t, dynamic.stdout)
			if name == withComments {
				return // what is commented out is in the dynamic one
			}
			static := c.run(t, "bootstrap", "--static")
			static.require(t, 0, "", "")
			requireValid(t, static.stdout)
		})
	}
}
