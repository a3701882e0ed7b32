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
	envoyAPI  = "github.com/envoyproxy/go-control-plane/envoy"
	protobuf  = "google.golang.org/protobuf"
	extraText = "golang.org/x/text"

	tooLarge = "Envoy compiles all code of the module before it serves, on each start, and it is at the packages that every program has"
)

// rules are the import rules: one for each package, no package without one. In a list, "a/..." stands for a and all below.
var rules = map[string]rule{
	"filter": {
		ours: []string{"filter/abi", "filter/plugin"},
		why:  "main registers the plugin, nothing else",
	},
	"filter/plugin": {
		ours:  []string{"filter/abi", "filter/adindex", "filter/adrequest"},
		tests: []string{"controlplane/campaign", "controlplane/compile"},
		why:   "the glue between proxy-wasm and the pure packages; every library here is in the memory of every Envoy worker",
	},
	"filter/abi": {
		pure: true,
		why:  "the calls between Envoy and the module: standard library only, and of that what links small",
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
			"controlplane/access", "controlplane/admin", "controlplane/api", "controlplane/apiv1", "controlplane/campaign", "controlplane/client", "controlplane/compile",
			"controlplane/console", "controlplane/counters",
			"controlplane/publish", "controlplane/revision", "controlplane/revision/boltstore", "controlplane/revision/dynamostore",
			"controlplane/source", "controlplane/xds", "envoy", "envoy/gateway", "filter/adindex",
			"internal/awsclient", "internal/boltfile", "internal/cognito", "internal/hostname", "internal/program", "internal/token", "internal/web",
		},
		third: anyThird,
		why:   "main wires the parts together; no part imports it",
	},
	"controlplane/api": {
		ours: []string{
			"controlplane/access", "controlplane/apiv1", "controlplane/campaign", "controlplane/compile", "controlplane/counters", "controlplane/publish",
			"controlplane/revision", "controlplane/xds", "filter/adindex", "filter/adrequest", "internal/web",
		},
		tests: []string{"controlplane/revision/boltstore"},
		third: anyThird,
		why:   "HTTP and JSON; what is behind them it knows by its own interfaces, and of its parts their types",
	},
	"controlplane/apiv1": {
		why: "the bodies of the HTTP API, which its server and its clients share: types alone",
	},
	"controlplane/client": {
		ours: []string{"controlplane/apiv1", "internal/hostname", "internal/web"},
		why:  "asks the HTTP API as anybody could; of the control plane it knows the bodies alone",
	},
	"controlplane/campaign": {
		ours:  []string{"controlplane/zone"},
		tests: []string{"e2e/refmodel"},
		third: []string{extraText},
		pure:  true,
		why:   "the model of the domain knows nothing of how it is fetched, compiled or served",
	},
	"controlplane/zone": {
		pure: true,
		why:  "the tz database is the program's own, whatever machine it runs on: standard library only",
	},
	"controlplane/source": {
		ours:  []string{"controlplane/campaign", "internal/awsclient", "internal/web"},
		tests: []string{"e2e/stack"},
		third: anyThird,
		why:   "sources fetch documents; what becomes of them is the publisher's",
	},
	"controlplane/compile": {
		ours:  []string{"controlplane/campaign", "controlplane/zone", "filter/adindex", "filter/adrequest"},
		tests: []string{"e2e/refmodel"},
		pure:  true,
		why:   "replicas must compile the same bytes; adrequest renders the answer bodies, which it owns",
	},
	"controlplane/publish": {
		ours:  []string{"controlplane/campaign", "controlplane/compile", "controlplane/revision", "filter/adindex"},
		tests: []string{"controlplane/revision/boltstore", "controlplane/source"},
		third: anyThird,
		why:   "the loop knows sources, sinks and stores by interfaces, not by their packages",
	},
	"controlplane/revision": {
		tests: []string{"controlplane/revision/storetest"},
		third: []string{"go.uber.org/zap", "golang.org/x/sync"},
		why:   "the history of operators' changes knows neither what a campaign is nor where it is stored",
	},
	"controlplane/revision/boltstore": {
		ours:  []string{"controlplane/revision", "internal/boltfile"},
		tests: []string{"controlplane/revision/storetest"},
		third: anyThird,
		why:   "a store knows the domain that declares it, and no other store",
	},
	"controlplane/revision/dynamostore": {
		ours:  []string{"controlplane/revision", "internal/awsclient", "internal/dynamo"},
		tests: []string{"controlplane/revision/storetest", "e2e/stack"},
		third: anyThird,
		why:   "a store knows the domain that declares it, and no other store",
	},
	"controlplane/revision/storetest": {
		ours:  []string{"controlplane/revision"},
		third: anyThird,
		why:   "what every store must do, by the domain's contract alone",
	},
	"controlplane/xds": {
		ours:  []string{"envoy", "envoy/gateway"},
		tests: []string{"filter/adindex"},
		third: anyThird,
		why:   "the server hands out resources that envoy builds; it does not know where an index comes from",
	},
	"controlplane/counters": {
		ours:  []string{"envoy"},
		third: anyThird,
		why:   "reads what Envoys report; of ours it knows the names that envoy gives their statistics",
	},
	"controlplane/admin": {
		ours:  []string{"internal/web"},
		third: anyThird,
		why:   "answers what it is given functions for; the parts that it shows do not know that they are shown",
	},
	"controlplane/access": {
		ours:  []string{"internal/account", "internal/hostname", "internal/token", "internal/web"},
		tests: []string{"internal/awsclient", "internal/cognito", "internal/cognito/strictfake"},
		third: anyThird,
		why:   "who may do what; what there is to be done it does not know",
	},
	"controlplane/console": {
		ours:  []string{"controlplane/access", "controlplane/apiv1", "controlplane/client", "controlplane/compile", "controlplane/zone", "internal/web"},
		tests: []string{"controlplane/console/fakeapi"},
		third: []string{"go.uber.org/zap", "golang.org/x/net/html"}, // which reads the pages in tests
		why:   "a client of the API like any other: of ours it knows that, the API's bodies, who asks, and how JSON is answered",
	},
	"controlplane/console/fakeapi": {
		ours: []string{"controlplane/apiv1", "controlplane/campaign", "controlplane/compile", "internal/web"},
		why:  "what the API may answer, for the tests of its client: nothing of how the API finds it",
	},
	"envoy": {
		ours:  []string{"envoy/gateway"},
		tests: []string{"filter/adindex", "internal/web"},
		third: []string{envoyAPI, protobuf, "sigs.k8s.io/yaml"},
		pure:  true,
		why:   "builders are pure, so that golden files prove them",
	},
	"envoy/gateway": {
		ours:  []string{"internal/hostname"},
		third: []string{"gopkg.in/yaml.v3", "golang.org/x/net"},
		why:   "the configuration's types are what all others agree on: they import none of them, and of ours only what a host's name is",
	},
	"users": {
		ours: []string{
			"envoy/gateway", "internal/awsclient", "internal/boltfile", "internal/cognito", "internal/program", "internal/token", "internal/web", "users/api",
			"users/boltstore", "users/dynamostore", "users/record",
		},
		tests: []string{"e2e/stack", "internal/cognito/strictfake"},
		third: anyThird,
		why:   "main wires the parts together; no part imports it",
	},
	"users/record": {
		why: "the domain knows neither HTTP nor a database: standard library only",
	},
	"users/api": {
		ours:  []string{"internal/account", "internal/token", "internal/web", "users/record"},
		tests: []string{"envoy", "envoy/gateway", "filter/adrequest", "users/boltstore"},
		third: anyThird,
		why:   "HTTP and JSON; what is behind them it knows by its own interfaces",
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
		ours:  []string{"e2e/...", "envoy/gateway", "controlplane/campaign", "controlplane/counters", "controlplane/publish", "controlplane/xds"},
		tests: []string{"filter/adindex", "filter/adrequest", "controlplane/apiv1", "controlplane/compile", "envoy", "internal/cognito/strictfake"},
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
		third: []string{"golang.org/x/sys", "gopkg.in/yaml.v3"},
		why:   "what it measures it asks as a client would; nothing of what is measured is in it",
	},
	"e2e/bench/fleet": {
		ours:  []string{"envoy", "filter/adindex"},
		tests: []string{"controlplane/campaign", "controlplane/compile", "controlplane/xds", "envoy/gateway"},
		third: []string{envoyAPI, protobuf, "golang.org/x/net"},
		why:   "an Envoy as the control plane sees it: of ours it knows the names in a bootstrap, and how the filter opens an index",
	},
	"e2e/browser": {
		tests: []string{"controlplane/access", "controlplane/admin", "controlplane/apiv1", "controlplane/compile", "controlplane/console", "controlplane/console/fakeapi", "e2e/stack"},
		third: []string{"github.com/prometheus/client_golang", "go.uber.org/zap"}, // what admin is configured with
		why:   "a browser as a person has it, by the WebDriver protocol: what it shows it does not know",
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
	"monitoring": {
		tests: []string{
			"controlplane/campaign", "controlplane/compile", "controlplane/counters", "controlplane/publish", "controlplane/xds", "internal/account",
			"internal/token", "users/api",
		},
		third: []string{"github.com/prometheus/client_golang"},
		why:   "files for Prometheus and Grafana; its tests register the metrics of every part",
	},
	"internal/account": {
		pure: true,
		why:  "what a sign-in is, whoever does it",
	},
	"internal/awsclient": {
		third: []string{"github.com/aws", "go.uber.org/zap"},
		why:   "endpoint, credentials, retries: the same for every AWS service",
	},
	"internal/boltfile": {
		third: []string{"go.etcd.io/bbolt", "github.com/prometheus", "go.uber.org/zap"},
		why:   "opens a file for whoever keeps something in it",
	},
	"internal/cognito": {
		ours:  []string{"internal/account", "internal/awsclient"},
		tests: []string{"e2e/stack", "internal/cognito/strictfake"},
		third: anyThird,
		why:   "the only importer of the Cognito client",
	},
	"internal/cognito/strictfake": {
		third: anyThird,
		why:   "a stand-in for tests shares nothing with what it tests",
	},
	"internal/dynamo": {
		ours:  []string{"internal/awsclient"},
		third: []string{"github.com/aws"},
		why:   "tables and errors of DynamoDB for whoever keeps something there",
	},
	"internal/hostname": {
		pure: true,
		why:  "what a host's name is: standard library only",
	},
	"internal/program": {
		third: anyThird,
		why:   "command line, logs and signals, the same in every program",
	},
	"internal/token": {
		ours:  []string{"internal/web"},
		tests: []string{"e2e/stack"},
		third: anyThird,
		why:   "verifies tokens; knows no user and no record, and no program that asks",
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
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider": {
		to:  []string{"internal/cognito"},
		why: "signing in could be done by another user pool",
	},
	"github.com/aws/aws-sdk-go-v2/service/s3": {
		to:  []string{"controlplane/source"},
		why: "a source's technology is its own business",
	},
	"go.etcd.io/bbolt": {
		to:  []string{"internal/boltfile", "users/boltstore", "controlplane/revision/boltstore", "e2e"}, // which counts what is left in a file
		why: "a store's technology is its own business",
	},
	"github.com/aws/aws-sdk-go-v2/service/dynamodb": {
		to:  []string{"internal/awsclient", "internal/dynamo", "users/dynamostore", "controlplane/revision/dynamostore", "e2e"}, // awsclient's tests; e2e as above
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
			"fmt":             tooLarge,
			"os":              tooLarge,
			"reflect":         tooLarge,
			"time":            tooLarge,
			"encoding/binary": tooLarge, // by way of reflect
			"runtime/debug":   tooLarge, // by way of os
			"crypto":          tooLarge,
			"net":             tooLarge,
			"testing":         "test code in a shipped module",
		},
	},
	"the user service": {
		folder: "./users",
		has:    "users/record",
		banned: map[string]string{
			"adsidecar/controlplane":      "another program's: what both need is in internal",
			"net/http/httptest":           "test code in a shipped program",
			"github.com/stretchr/testify": "test code in a shipped program",
		},
	},
	"the control plane": {
		folder: "./controlplane",
		has:    "filter/adindex",
		banned: map[string]string{
			"adsidecar/users": "another program's: what both need is in internal",
			// Not "testing": go-control-plane's log package imports it.
			"net/http/httptest":           "test code in a shipped program",
			"github.com/stretchr/testify": "test code in a shipped program",
		},
	},
}
