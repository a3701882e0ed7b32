package program

import (
	"fmt"
	"os"
	"strings"
)

// ReadSecret reads a secret's file, whose last line end is no part of the secret. No file is no secret; an empty one is an error. Errors name
// the configuration's key.
func ReadSecret(key, file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("%s: %s is empty", key, file)
	}
	return secret, nil
}
