// Command build compiles the filter to the WebAssembly module that Envoy loads:
//
//	go run ./filter/build -o bin/adsidecar.wasm [-tags testhooks]
//
// The same sources, toolchain and flags give the same bytes. The output is replaced in one step, so that an Envoy that
// reads it meanwhile sees the old or the new module whole.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
)

// filterPackage is the main package of the filter.
const filterPackage = "adsidecar/filter"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "build filter:", err)
		os.Exit(1)
	}
}

// run is main without its globals.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("build", flag.ContinueOnError)
	flags.SetOutput(stderr)
	output := flags.String("o", "bin/adsidecar.wasm", "the `file` to write")
	tags := flags.String("tags", "", "build `tags`; testhooks gives a module for tests, never for players")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	module, err := compile(ctx, *tags, stderr)
	if err != nil {
		return err
	}
	if err := replace(*output, module); err != nil {
		return fmt.Errorf("write module: %w", err)
	}
	_, err = fmt.Fprintf(stdout, "%s: %d bytes, sha256 %x\n", *output, len(module), sha256.Sum256(module))
	return err
}

// compile returns the module as the Go toolchain links it.
func compile(ctx context.Context, tags string, stderr io.Writer) (module []byte, err error) {
	dir, err := os.MkdirTemp("", "adsidecar-filter-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	linked := filepath.Join(dir, "filter.wasm")
	// c-shared gives a reactor: it exports functions and _initialize instead of running main. Without the version control
	// stamp a commit that does not touch the filter leaves the module's hash, and so Envoy's compiled code, as it is.
	cmd := exec.CommandContext(ctx, "go", "build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false",
		"-ldflags=-s -w", "-tags="+tags, "-o", linked, filterPackage)
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	cmd.Stdout, cmd.Stderr = stderr, stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("compile %s: %w", filterPackage, err)
	}
	return os.ReadFile(linked)
}

// replace writes a file beside path and renames it to path.
func replace(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(content)
	// CreateTemp makes files that only their owner reads; Envoy often runs as somebody else.
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
