package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/stack"
)

func TestKeysAreTheDocumentsAfterTheDocumentedOne(t *testing.T) {
	for name, c := range map[string]struct {
		document string
		want     [][2]string
	}{
		"each once, in lower case": {
			`{"ads":[{"country":"FR","lang":"fre"},{"country":"us","lang":"eng"},{"country":"fr","lang":"fre"},{"country":"CY","lang":"gre"}]}`,
			[][2]string{{"us", "eng"}, {"fr", "fre"}, {"cy", "gre"}},
		},
		"no JSON": {`<html>`, [][2]string{{"us", "eng"}}},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), sourceFile)
			require.NoError(t, os.WriteFile(file, []byte(c.document), 0o600))
			require.Equal(t, c.want, keys(file))
		})
	}
	require.Equal(t, [][2]string{{"us", "eng"}}, keys(filepath.Join(t.TempDir(), "none")))
}

func TestAnAdIsLookedForUntilOneIsServed(t *testing.T) {
	all := [][2]string{{"us", "eng"}, {"fr", "fre"}, {"cy", "gre"}}
	serving := func(country string) func(string, string) (*stack.Answer, error) {
		return func(c, _ string) (*stack.Answer, error) {
			if c == country {
				return &stack.Answer{Status: 200}, nil
			}
			return &stack.Answer{Status: 404}, nil
		}
	}
	for name, c := range map[string]struct {
		serving, path string
		status        int
	}{
		"the first":  {"us", "/ad_request?country=us&lang=eng", 200},
		"the second": {"fr", "/ad_request?country=fr&lang=fre", 200},
		"none":       {"", "/ad_request?country=cy&lang=gre", 404},
	} {
		t.Run(name, func(t *testing.T) {
			path, answer, err := anAd(all, serving(c.serving))
			require.NoError(t, err)
			require.Equal(t, c.path, path)
			require.Equal(t, c.status, answer.Status)
		})
	}
	broken := errors.New("connection refused")
	_, _, err := anAd(all, func(string, string) (*stack.Answer, error) { return nil, broken })
	require.ErrorIs(t, err, broken)
}
