package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"adsidecar/controlplane/client"
	"adsidecar/internal/program"
)

// leastPrefix is the shortest beginning that may stand for a version: of fewer characters another version may have them as well tomorrow.
const leastPrefix = 6

// wholeVersion is how many characters a version has: see adindex.Version.
const wholeVersion = 32

// short is the beginning of a hash, as long as the console shows it.
func short(hash string) string {
	const shown = 12
	return hash[:min(len(hash), shown)]
}

// versions returns the whole versions that each text is, or is the beginning of: of the published and the held ones. Nobody is asked where
// none is a beginning.
func (s *session) versions(ctx context.Context, texts ...string) ([]string, error) {
	if err := longEnough(texts...); err != nil || !slices.ContainsFunc(texts, isPrefix) {
		return texts, err
	}
	published, err := s.Versions(ctx)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for i := range published.Value.Items {
		known[published.Value.Items[i].Version] = true
	}
	held, err := s.heldVersion(ctx)
	if err != nil {
		return nil, err
	}
	known[held] = true
	whole := make([]string, len(texts))
	for i, text := range texts {
		if whole[i], err = resolve(text, known); err != nil {
			return nil, err
		}
	}
	return whole, nil
}

// held returns the whole version that is held, if that is what text is the beginning of. Anything else is left to the control plane, which
// says what is wrong with it.
func (s *session) held(ctx context.Context, text string) (string, error) {
	if err := longEnough(text); err != nil || !isPrefix(text) {
		return text, err
	}
	held, err := s.heldVersion(ctx)
	if err == nil && strings.HasPrefix(held, text) {
		return held, nil
	}
	return text, err
}

// heldVersion is empty where nothing is held.
func (s *session) heldVersion(ctx context.Context) (string, error) {
	a, err := s.Held(ctx)
	var refused *client.Error
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		return "", nil
	}
	return a.Value.Version, err
}

// isPrefix reports whether a text can be the beginning of a version. What cannot be one the control plane refuses.
func isPrefix(text string) bool {
	return len(text) < wholeVersion && strings.Trim(text, "0123456789abcdef") == ""
}

func longEnough(texts ...string) error {
	for _, text := range texts {
		if isPrefix(text) && len(text) < leastPrefix {
			return program.Misused(fmt.Errorf("%q is too short for a version: name at least %d characters of it", text, leastPrefix))
		}
	}
	return nil
}

func resolve(text string, known map[string]bool) (string, error) {
	if !isPrefix(text) {
		return text, nil
	}
	var found []string
	for _, version := range slices.Sorted(maps.Keys(known)) {
		if strings.HasPrefix(version, text) {
			found = append(found, version)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf(`no version begins with %s: "adsidecar versions" lists those that are kept`, text)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("%s is the beginning of %d versions: %s", text, len(found), strings.Join(found, ", "))
}
