package stack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Programs are what this repository builds and a stack runs.
type Programs struct {
	// Adsidecar is bin/adsidecar, AdsidecarUsers bin/adsidecar-users, Module bin/adsidecar.wasm.
	Adsidecar, AdsidecarUsers, Module string
}

// Built returns the programs in the repository's bin, which `make build` puts there.
func Built(root string) (*Programs, error) {
	bin := filepath.Join(root, "bin")
	p := &Programs{
		Adsidecar:      filepath.Join(bin, "adsidecar"),
		AdsidecarUsers: filepath.Join(bin, "adsidecar-users"),
		Module:         filepath.Join(bin, "adsidecar.wasm"),
	}
	for _, file := range []string{p.Adsidecar, p.AdsidecarUsers, p.Module} {
		if _, err := os.Stat(file); err != nil {
			return nil, fmt.Errorf("%w: run make build first", err)
		}
	}
	return p, nil
}

// Build builds the programs into the repository's bin; what is up to date takes no time. It is safe to call from several
// programs at once.
func Build(ctx context.Context, root string) (*Programs, error) {
	held, err := lock(ctx, filepath.Join(root, ".run", "build.lock"), func() {})
	if err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	defer held.Close() //nolint:errcheck // frees the lock, nothing was written
	for _, args := range [][]string{
		{"build", "-o", filepath.Join("bin", "adsidecar"), "./controlplane"},
		{"build", "-o", filepath.Join("bin", "adsidecar-users"), "./users"},
		{"run", "./filter/build", "-o", filepath.Join("bin", "adsidecar.wasm")},
	} {
		if err := goCommand(ctx, root, args...); err != nil {
			return nil, err
		}
	}
	return Built(root)
}

// goCommand runs the go tool in root.
func goCommand(ctx context.Context, root string, args ...string) error {
	tool, err := exec.LookPath("go")
	if err != nil {
		return errors.New("go is not on PATH: install it (https://go.dev/dl) and start again")
	}
	if out, err := runToEnd(ctx, Command{Name: "go", Path: tool, Args: args, Dir: root}); err != nil {
		return fmt.Errorf("go %s: %w\n%s", args[0], err, lastLines(out, 20))
	}
	return nil
}

// installModule copies the module into dir under a name with its hash: Envoy reads the file again at every push, and must not find
// another build under the name it knows.
func installModule(module, dir string) (string, error) {
	code, err := os.ReadFile(module)
	if err != nil {
		return "", fmt.Errorf("read the filter: %w", err)
	}
	sum := sha256.Sum256(code)
	path := filepath.Join(dir, "adsidecar-"+hex.EncodeToString(sum[:6])+".wasm")
	if err := ReplaceFile(path, code, 0o644); err != nil {
		return "", fmt.Errorf("copy the filter: %w", err)
	}
	return path, nil
}

// ReplaceFile writes a file so that a reader sees the old or the new content, never a part.
func ReplaceFile(path string, data []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // err says what matters
	}
	return err
}
