package archtest

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// maxLines is where a file surely has a second reason to change; 400 is where to ask.
const maxLines = 500

func TestPackageComments(t *testing.T) {
	eachPackage(t, func(t *testing.T, folder string, files []goFile) {
		var comments []string
		for _, file := range files {
			if file.doc != "" && !file.test {
				comments = append(comments, file.path)
				if file.name != "main" {
					require.True(t, strings.HasPrefix(file.doc, "Package "+file.name+" "),
						"%s: a package comment begins with the words \"Package %s\"", file.path, file.name)
				}
			}
		}
		require.Len(t, comments, 1, "package %s needs one package comment: what it owns, the idea, the limits", folder)
	})
}

func TestFileSizes(t *testing.T) {
	eachPackage(t, func(t *testing.T, _ string, files []goFile) {
		for _, file := range files {
			if !file.made {
				require.LessOrEqual(t, file.lines, maxLines, "%s: what is its second reason to change?", file.path)
			}
		}
	})
}

// machinePath finds an absolute path below a home or working folder. A path that goes on from something else, as in a URL
// or below a relative folder, is none.
var machinePath = regexp.MustCompile(`(^|[^a-zA-Z0-9._~})-])/(work|root|home|Users)/`)

func TestNoMachinePaths(t *testing.T) {
	for _, name := range repositoryFiles(t) {
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if os.IsNotExist(err) {
			continue // deleted, but not yet so committed
		}
		require.NoError(t, err)
		if bytes.IndexByte(text, 0) >= 0 {
			continue // binary
		}
		for number, line := range strings.Split(string(text), "\n") {
			if machinePath.MatchString(line) {
				t.Errorf("%s:%d names a place on one machine: %s", name, number+1, strings.TrimSpace(line))
				break // one is enough to look into the file
			}
		}
	}
}

func TestMachinePath(t *testing.T) {
	slash := "/" // apart, so that this file passes its own test
	for name, tt := range map[string]struct {
		line string
		want bool
	}{
		"a path alone on a line":     {line: slash + "home/kim/ads.json", want: true},
		"a path in quotes":           {line: `open("` + slash + `root/.cache")`, want: true},
		"a path on macOS":            {line: "see " + slash + "Users/kim/adsidecar", want: true},
		"a path in a file URL":       {line: "file://" + slash + "work/main/x", want: true},
		"a URL's path":               {line: "https://example.com" + slash + "home/index.html"},
		"a relative path":            {line: "./e2e" + slash + "work/x"},
		"a path below a variable":    {line: "${DIR}" + slash + "home/x"},
		"the users of the product":   {line: slash + "users/create"},
		"a word that begins alike":   {line: slash + "rooted/x"},
		"the folder's name, no more": {line: slash + "home"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tt.want, machinePath.MatchString(tt.line)) })
	}
}
