package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// pythonLeast is the oldest Python that the pinned packages support.
const pythonLeast = "3.10"

// pythonProbe prints the interpreter behind any shim. Its exit code says what is missing.
const pythonProbe = `
import sys
if sys.version_info < (3, 10): sys.exit("it is Python %d.%d" % sys.version_info[:2])
try: import venv, ensurepip
except ImportError as e: sys.exit("it has no module " + e.name)
print(sys.executable)`

// findPython returns a Python that can make a virtual environment: PYTHON if it is set, else the first fit one on PATH.
func findPython(ctx context.Context) (string, error) {
	names := []string{"python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python"}
	if p := os.Getenv("PYTHON"); p != "" {
		names = []string{p}
	}
	var unfit []string
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		out, err := exec.CommandContext(ctx, path, "-c", pythonProbe).Output()
		if err == nil {
			return strings.TrimSpace(string(out)), nil
		}
		why := err.Error()
		var exit *exec.ExitError
		if errors.As(err, &exit) && len(exit.Stderr) > 0 {
			why = lastLines(string(exit.Stderr), 1)
		}
		unfit = append(unfit, fmt.Sprintf("%s: %s", path, why))
	}
	return "", pythonError(names, unfit)
}

func pythonError(names, unfit []string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "no usable Python: %s or newer with venv is needed, for moto (Cognito) and Envoy's wheel", pythonLeast)
	if len(unfit) == 0 {
		fmt.Fprintf(&b, "; none of %s is on PATH.\n", strings.Join(names, ", "))
		b.WriteString("  Install it: https://www.python.org/downloads (Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install python3)")
		return errors.New(b.String())
	}
	b.WriteString(".\n  " + strings.Join(unfit, "\n  ") + "\n")
	if strings.Contains(b.String(), "no module") {
		b.WriteString("  Debian and Ubuntu keep venv in its own package: apt-get install python3-venv\n")
	}
	b.WriteString("  Or name another Python by PYTHON=/path/to/python3")
	return errors.New(b.String())
}
