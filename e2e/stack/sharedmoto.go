package stack

import (
	"context"
	"time"
)

// SharedMoto is one Moto for all tests of a package, which begins with the first that asks for it: a fuzzing worker needs none. The zero value
// is ready. It is not safe for concurrent use.
type SharedMoto struct{ moto *Moto }

// Endpoint returns where it answers, and starts it if it does not run.
func (s *SharedMoto) Endpoint() (string, error) {
	if s.moto == nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // the first run makes the Python environment
		defer cancel()
		tools, err := FindTools(ctx, ToolsConfig{})
		if err != nil {
			return "", err
		}
		if s.moto, err = StartMoto(ctx, MotoConfig{Tools: tools}); err != nil {
			return "", err
		}
	}
	return s.moto.Endpoint, nil
}

// Close ends it, if it was started.
func (s *SharedMoto) Close() {
	if s.moto != nil {
		s.moto.Close()
	}
}
