package stack

import (
	"context"
	_ "embed"
	"io"
	"path/filepath"
)

//go:embed requirements-schemathesis.txt
var schemathesisPins []byte

var schemathesisRequirements = requirements{name: "schemathesis", pins: schemathesisPins}

// Schemathesis is the command that holds an HTTP interface against its OpenAPI document. The first call installs it into the environment
// of these tools, which takes a while; progress, which may be nil, gets a line then.
func (t *Tools) Schemathesis(ctx context.Context, progress io.Writer) (string, error) {
	if progress == nil {
		progress = io.Discard
	}
	dir, err := venvDir(t.Root)
	if err != nil {
		return "", err
	}
	v := venv{dir: dir, lock: filepath.Join(t.Root, ".run", "venv.lock"), progress: progress, python: findPython}
	if err := v.ensure(ctx, motoRequirements, schemathesisRequirements); err != nil {
		return "", err
	}
	return filepath.Join(dir, "bin", "schemathesis"), nil
}
