package archtest

// rule says what one package may import. Whatever is not listed is forbidden.
type rule struct {
	ours  []string // packages of this module
	tests []string // packages of this module that its tests may import besides
	third []string // modules of others, as prefixes of import paths; nil is the standard library alone
	pure  bool     // same input, same output: no files, sockets, processes or logs
	why   string
}

// anyThird is the rule of packages at the edge, where libraries are bound in.
var anyThird = []string{""}

const (
	sdk       = "github.com/proxy-wasm/proxy-wasm-go-sdk"
	envoyAPI  = "github.com/envoyproxy/go-control-plane/envoy"
	protobuf  = "google.golang.org/protobuf"
	extraText = "golang.org/x/text"
)

// rules are the import rules: one for each package, no package without one. In a list, "a/..." stands for a and all below.
var rules = map[string]rule{
	"filter": {
		ours:  []string{"filter/plugin"},
		third: []string{sdk},
		why:   "main registers the plugin, nothing else",
	},
	"filter/plugin": {
		ours:  []string{"filter/adindex", "filter/adrequest"},
		tests: []string{"controlplane/campaign", "controlplane/compile"},
		third: []string{sdk},
		why:   "the glue between proxy-wasm and the pure packages; every library here is in the memory of every Envoy worker",
	},
	"filter/adindex": {
		tests: []string{"e2e/refmodel"},
		pure:  true,
		why:   "the index format is read in a WebAssembly VM and written by the control plane: standard library only",
	},
	"filter/adrequest": {
		pure: true,
		why:  "queries and answers are bytes in, bytes out: standard library only, testable without Envoy",
	},
	"filter/build": {
		why: "the build step of the module must run before anything else is there",
	},
	"controlplane": {
		ours: []string{
			"controlplane/admin", "controlplane/campaign", "controlplane/compile", "controlplane/publish", "controlplane/source",
			"controlplane/xds", "envoy", "envoy/gateway", "filter/adindex", "internal/program", "internal/web",
		},
		third: anyThird,
		why:   "main wires the parts together; no part imports it",
	},
	"controlplane/campaign": {
		tests: []string{"e2e/refmodel"},
		third: []string{extraText},
		pure:  true,
		why:   "the model of the domain knows nothing of how it is fetched, compiled or served",
	},
	"controlplane/source": {
		ours:  []string{"controlplane/campaign", "internal/web"},
		third: anyThird,
		why:   "sources fetch documents; what becomes of them is the publisher's",
	},
	"controlplane/compile": {
		ours:  []string{"controlplane/campaign", "filter/adindex", "filter/adrequest"},
		tests: []string{"e2e/refmodel"},
		pure:  true,
		why:   "replicas must compile the same bytes; adrequest renders the answer bodies, which it owns",
	},
	"controlplane/publish": {
		ours:  []string{"controlplane/campaign", "controlplane/compile"},
		tests: []string{"controlplane/source", "filter/adindex"},
		third: anyThird,
		why:   "the loop knows sources and sinks by its own interfaces, not by their packages",
	},
	"controlplane/xds": {
		ours:  []string{"envoy", "envoy/gateway"},
		tests: []string{"filter/adindex"},
		third: anyThird,
		why:   "the server hands out resources that envoy builds; it does not know where an index comes from",
	},
	"controlplane/admin": {
		ours:  []string{"internal/web"},
		third: anyThird,
		why:   "answers what it is given functions for; the parts that it shows do not know that they are shown",
	},
	"envoy": {
		ours:  []string{"envoy/gateway"},
		tests: []string{"filter/adindex", "internal/web"},
		third: []string{envoyAPI, protobuf, "sigs.k8s.io/yaml"},
		pure:  true,
		why:   "builders are pure, so that golden files prove them",
	},
	"envoy/gateway": {
		third: []string{"gopkg.in/yaml.v3", "golang.org/x/net"},
		why:   "the configuration's types are what all others agree on: they import none of them",
	},
	"users": {
		ours: []string{
			"envoy/gateway", "internal/awsclient", "internal/boltfile", "internal/program", "internal/web", "users/api", "users/boltstore", "users/cognito",
			"users/dynamostore", "users/record", "users/token",
		},
		tests: []string{"e2e/stack", "users/cognito/strictfake"},
		third: anyThird,
		why:   "main wires the parts together; no part imports it",
	},
	"users/record": {
		why: "the domain knows neither HTTP nor a database: standard library only",
	},
	"users/account": {
		pure: true,
		why:  "what a sign-in is, whoever does it",
	},
	"users/api": {
		ours:  []string{"internal/web", "users/account", "users/record", "users/token"},
		tests: []string{"envoy", "envoy/gateway", "filter/adrequest", "users/boltstore"},
		third: anyThird,
		why:   "HTTP and JSON; what is behind them it knows by its own interfaces",
	},
	"users/token": {
		ours:  []string{"internal/web"},
		tests: []string{"e2e/stack"},
		third: anyThird,
		why:   "verifies tokens; knows no user and no record",
	},
	"users/cognito": {
		ours:  []string{"internal/awsclient", "users/account"},
		tests: []string{"e2e/stack", "users/cognito/strictfake"},
		third: anyThird,
		why:   "the only importer of the Cognito client",
	},
	"users/cognito/strictfake": {
		third: anyThird,
		why:   "a stand-in for tests shares nothing with what it tests",
	},
	"users/boltstore": {
		ours:  []string{"internal/boltfile", "users/record"},
		tests: []string{"users/storetest"},
		third: anyThird,
		why:   "a store knows the domain that declares it, and no other store",
	},
	"users/dynamostore": {
		ours:  []string{"internal/awsclient", "internal/dynamo", "users/record"},
		tests: []string{"e2e/stack", "users/storetest"},
		third: anyThird,
		why:   "a store knows the domain that declares it, and no other store",
	},
	"users/storetest": {
		ours:  []string{"users/record"},
		third: anyThird,
		why:   "what every store must do, by the domain's contract alone",
	},
	"e2e": {
		ours:  []string{"e2e/...", "envoy/gateway", "controlplane/campaign", "controlplane/publish", "controlplane/xds"},
		tests: []string{"filter/adindex", "filter/adrequest", "controlplane/compile", "envoy", "users/cognito/strictfake"},
		third: anyThird,
		why:   "the tests drive the programs from outside; of the parts they read formats and status types, no behaviour",
	},
	"e2e/bench/workload": {
		why: "the same documents for every benchmark, from a seed alone: standard library only",
	},
	"e2e/bench/report": {
		why: "tables and pages of figures, whatever was measured: standard library only",
	},
	"e2e/bench": {
		ours:  []string{"e2e/bench/...", "e2e/stack"},
		third: []string{"gopkg.in/yaml.v3"},
		why:   "what it measures it asks as a client would; nothing of what is measured is in it",
	},
	"e2e/bench/fleet": {
		ours:  []string{"envoy", "filter/adindex"},
		tests: []string{"controlplane/campaign", "controlplane/compile", "controlplane/xds", "envoy/gateway"},
		third: []string{envoyAPI, protobuf, "golang.org/x/net"},
		why:   "an Envoy as the control plane sees it: of ours it knows the names in a bootstrap, and how the filter opens an index",
	},
	"e2e/contract": {
		tests: []string{"e2e/stack"},
		third: []string{"gopkg.in/yaml.v3"},
		why:   "knows of the gateway what its document says",
	},
	"e2e/local": {
		ours:  []string{"e2e/stack", "envoy/gateway"},
		third: anyThird,
		why:   "the local stack starts the built programs as an operator would",
	},
	"e2e/stack": {
		ours:  []string{"envoy/gateway"},
		third: anyThird,
		why:   "processes, ports and logs of a stack, for the tests and the local stack",
	},
	"e2e/refmodel": {
		third: []string{},
		pure:  true,
		why:   "the reference model is written from the rules alone: what it shared with the code it could not prove wrong",
	},
	"internal/awsclient": {
		third: []string{"github.com/aws"},
		why:   "endpoint, credentials, retries: the same for every AWS service",
	},
	"internal/boltfile": {
		third: []string{"go.etcd.io/bbolt", "github.com/prometheus", "go.uber.org/zap"},
		why:   "opens a file for whoever keeps something in it",
	},
	"internal/dynamo": {
		ours:  []string{"internal/awsclient"},
		third: []string{"github.com/aws"},
		why:   "tables and errors of DynamoDB for whoever keeps something there",
	},
	"internal/program": {
		third: anyThird,
		why:   "command line, logs and signals, the same in every program",
	},
	"internal/web": {
		third: []string{"go.uber.org/zap"},
		why:   "the error body and the server, the same at every HTTP address",
	},
	"internal/archtest": {
		why: "reads the repository as files",
	},
	"internal/testrun": {
		why: "runs before anything is known to build",
	},
}

// impure are the standard packages that reach out of the process. Package net is not among them: pure code joins and
// parses addresses with it.
var impure = []string{"os/...", "net/http/...", "log/...", "syscall", "math/rand/...", "crypto/rand"}

// testLibraries may be imported by every test.
var testLibraries = []string{
	"github.com/stretchr/testify/require", "pgregory.net/rapid", "go.uber.org/goleak", "go.uber.org/zap",
	"google.golang.org/protobuf", "github.com/tetratelabs/wazero",
}

// confined are libraries that only the named packages may import, tests included.
var confined = map[string]struct {
	to  []string
	why string
}{
	sdk: {
		to:  []string{"filter", "filter/plugin"},
		why: "the plugin alone knows that there is a proxy around it",
	},
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider": {
		to:  []string{"users/cognito"},
		why: "signing in could be done by another user pool",
	},
	"go.etcd.io/bbolt": {
		to:  []string{"internal/boltfile", "users/boltstore", "e2e"}, // which counts what is left in a file
		why: "a store's technology is its own business",
	},
	"github.com/aws/aws-sdk-go-v2/service/dynamodb": {
		to:  []string{"internal/awsclient", "internal/dynamo", "users/dynamostore", "e2e"}, // awsclient's tests; e2e as above
		why: "a store's technology is its own business",
	},
}

// programs are what is built and shipped, with what must not be in them, however deep.
var programs = map[string]struct {
	env    []string
	folder string
	has    string // a package of ours that is in it: else what is not in it proves nothing
	banned map[string]string
}{
	"the module": {
		env:    []string{"GOOS=wasip1", "GOARCH=wasm"},
		folder: "./filter",
		has:    "filter/adindex",
		banned: map[string]string{
			"net/http":   "megabytes that each worker compiles and holds",
			"crypto/tls": "as net/http",
			"testing":    "test code in a shipped module",
		},
	},
	"the user service": {
		folder: "./users",
		has:    "users/record",
		banned: map[string]string{
			"net/http/httptest":           "test code in a shipped program",
			"github.com/stretchr/testify": "test code in a shipped program",
			sdk:                           "the user service runs in no proxy",
		},
	},
	"the control plane": {
		folder: "./controlplane",
		has:    "filter/adindex",
		banned: map[string]string{
			// Not "testing": go-control-plane's log package imports it.
			"net/http/httptest":           "test code in a shipped program",
			"github.com/stretchr/testify": "test code in a shipped program",
			sdk:                           "the control plane builds indexes, it does not run in a proxy",
		},
	},
}
