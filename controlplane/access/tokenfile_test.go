package access

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestParseTokens(t *testing.T) {
	token := func(n int) string { return strings.Repeat("x", n) }
	for name, tc := range map[string]struct {
		text string
		want string // error, each line; empty: none
		good int    // lines beside the bad ones
	}{
		"comments, empty lines, tabs and carriage returns": {tokenLines + "  # more\r\n\r\n  bob  viewer  " + token(32) + "\r\n", "", 0},
		"the last line without its end":                    {"a viewer " + token(32), "", 0},
		"a name twice, while a token is replaced":          {"a viewer " + token(32) + "\na viewer " + token(33), "", 0},
		"the longest token":                                {"a viewer " + token(256), "", 0},
		"nothing":                                          {"", "has no token", 0},
		"comments alone":                                   {"# a viewer " + token(32), "has no token", 0},
		"two fields":                                       {"a viewer", "line 1: is not: name role token", 0},
		"four fields":                                      {"\na viewer " + token(32) + " # the reason", "line 2: is not: name role token", 0},
		"a short token":                                    {"a viewer " + token(31), "line 1: the token is not 32 to 256 characters long", 0},
		"a long token":                                     {"a viewer " + token(257), "line 1: the token is not 32 to 256 characters long", 0},
		"a token with letters of elsewhere":                {"a viewer é" + token(32), "line 1: the token has other than visible ASCII characters", 0},
		"a token with a control character":                 {"a viewer \x00" + token(32), "line 1: the token has other than visible ASCII characters", 0},
		"a token that is DEL":                              {"a viewer \x7f" + token(32), "line 1: the token has other than visible ASCII characters", 0},
		"an unknown role":                                  {"a admin " + token(32), "line 1: the role is neither viewer nor operator", 0},
		"a role in capitals":                               {"a Viewer " + token(32), "line 1: the role is neither viewer nor operator", 0},
		"nobody":                                           {"a nobody " + token(32), "line 1: the role is neither viewer nor operator", 0},
		"a name that is local":                             {"local operator " + token(32), "line 1: the name is not 1 to 64 letters, digits, . _ @ + -, or is local", 0},
		"a name with a colon":                              {"local:root operator " + token(32), "line 1: the name is not 1 to 64 letters, digits, . _ @ + -, or is local", 0},
		"a token twice":                                    {"a viewer " + token(32) + "\nb operator " + token(32), "line 2: the token of line 1 again", 1},
		"each bad line is named":                           {"x\na viewer " + token(32) + "\ny", "line 1: is not: name role token\nline 3: is not: name role token", 1},
		"fields in another order":                          {token(70) + " viewer a", "line 1: the name is not 1 to 64 letters, digits, . _ @ + -, or is local", 0},
		"too many":                                         {tokens(maxTokens + 1), "has more than 1000 tokens", 0},
		"too large":                                        {strings.Repeat("#", maxTokenFile+1), "is larger than 262144 bytes", 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseTokens([]byte(tc.text))
			if tc.want == "" {
				require.NoError(t, err)
				require.NotEmpty(t, got)
				return
			}
			require.EqualError(t, err, tc.want)
			require.Len(t, got, tc.good)
		})
	}
	got, err := parseTokens([]byte(tokens(maxTokens)))
	require.NoError(t, err)
	require.Len(t, got, maxTokens)
	id, ok := got.find(hashOf(fmt.Sprintf("%032d", 0)))
	require.True(t, ok)
	require.Equal(t, Identity{"n0", Viewer, ViaToken}, id)
	id, ok = got.find(hashOf(fmt.Sprintf("%032d", maxTokens-1)))
	require.True(t, ok)
	require.Equal(t, "n999", id.Name)
	for _, wrong := range []string{"", fmt.Sprintf("%031d", 0), fmt.Sprintf("%032d", 0) + "0", fmt.Sprintf("%032d", maxTokens)} {
		id, ok := got.find(hashOf(wrong))
		require.False(t, ok)
		require.Zero(t, id)
	}
}

func tokens(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "n%d viewer %032d\n", i, i)
	}
	return b.String()
}

func FuzzParseTokens(f *testing.F) {
	f.Add([]byte(tokenLines))
	f.Add([]byte("a viewer"))
	f.Add([]byte("a\u00a0viewer\u2028" + strings.Repeat("x", 32)))
	f.Add([]byte("\xff viewer " + strings.Repeat("\xff", 40)))
	f.Add([]byte("a operator " + strings.Repeat("y", 40) + "\r# b\n\n#\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := parseTokens(text)
		if err != nil {
			for word := range strings.FieldsSeq(string(text)) {
				if len(word) >= minTokenSize {
					require.NotContains(t, err.Error(), word)
				}
			}
			require.LessOrEqual(t, len(got), bytes.Count(text, []byte("\n"))+1)
			for _, t0 := range got {
				require.NotZero(t, t0.identity.Role)
			}
			return
		}
		require.NotEmpty(t, got)
		found := 0
		for line := range strings.Lines(string(text)) {
			fields := strings.Fields(line)
			if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
				continue
			}
			id, ok := got.find(hashOf(fields[2]))
			require.True(t, ok)
			require.Equal(t, fields[0], id.Name)
			require.Equal(t, fields[1], id.Role.String())
			found++
		}
		require.Len(t, got, found)
	})
}

func TestATokenFileIsForItsOwnerAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "tokens")
	require.NoError(t, os.WriteFile(path, []byte(tokenLines), 0o600))
	for mode, good := range map[os.FileMode]bool{0o600: true, 0o400: true, 0o700: true, 0o640: false, 0o604: false, 0o660: false, 0o610: false, 0o644: false} {
		require.NoError(t, os.Chmod(path, mode))
		_, err := New(Config{Address: "127.0.0.1:1", TokensFile: path})
		if good {
			require.NoError(t, err, mode)
		} else {
			require.EqualError(t, err, fmt.Sprintf("token file: %s can be used by others than its owner (mode %04o): chmod 600", path, mode))
		}
	}
	_, err := New(Config{Address: "127.0.0.1:1", TokensFile: filepath.Join(dir, "none")})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = New(Config{Address: "127.0.0.1:1", TokensFile: dir})
	require.EqualError(t, err, "token file: "+dir+" is not a file")
	require.NoError(t, os.WriteFile(path, []byte("vera viewer "+viewerToken+" x"), 0o600))
	require.NoError(t, os.Chmod(path, 0o600))
	_, err = New(Config{Address: "127.0.0.1:1", TokensFile: path})
	require.EqualError(t, err, "token file: "+path+": line 1: is not: name role token")
}

func TestAChangedTokenFileIsReadAgain(t *testing.T) {
	f := &fixture{clock: newClock(), file: filepath.Join(t.TempDir(), "tokens")}
	f.write(t, tokenLines)
	core, logs := observer.New(zap.InfoLevel)
	file, err := openTokenFile(f.file, f.now, zap.New(core))
	require.NoError(t, err)
	role := func(token string) Role {
		id, _ := file.current().find(hashOf(token))
		return id.Role
	}
	require.Equal(t, Viewer, role(viewerToken))

	f.write(t, "vera operator "+viewerToken)
	require.Equal(t, Viewer, role(viewerToken), "it is looked at once a second")
	f.advance(fileAge)
	require.Equal(t, Operator, role(viewerToken))
	require.Equal(t, Nobody, role(operatorToken), "withdrawn")
	require.Equal(t, 1, logs.FilterMessage("the token file is read again").Len())

	f.write(t, "# the same\n\nvera operator "+viewerToken+"\n")
	f.advance(fileAge)
	require.Equal(t, Operator, role(viewerToken))
	require.Equal(t, 1, logs.Len(), "nothing has changed")
}

// TestAWrongTokenFileLetsInWhoItSays: a token that was withdrawn is withdrawn, whatever else is wrong.
func TestAWrongTokenFileLetsInWhoItSays(t *testing.T) {
	third := strings.Repeat("t", minTokenSize)
	for name, tc := range map[string]struct {
		change          func(t *testing.T, f *fixture)
		viewer, carried Role
		log             string
	}{
		"a token withdrawn, and a bad line in the same write": {
			func(t *testing.T, f *fixture) { f.write(t, "vera viewer "+viewerToken+"\nolaf operator\nx "+third) }, Viewer, Nobody,
			"line 2: is not: name role token\nline 3: is not: name role token",
		},
		"a role misspelt": {
			func(t *testing.T, f *fixture) { f.write(t, "vera vewer "+viewerToken+"\nolaf operator "+operatorToken) }, Nobody, Operator,
			"line 1: the role is neither viewer nor operator",
		},
		"a token twice, in two roles: the first": {
			func(t *testing.T, f *fixture) { f.write(t, "vera viewer "+viewerToken+"\nolaf operator "+viewerToken) }, Viewer, Nobody,
			"line 2: the token of line 1 again",
		},
		"nothing":        {func(t *testing.T, f *fixture) { f.write(t, "") }, Nobody, Nobody, "has no token"},
		"too many":       {func(t *testing.T, f *fixture) { f.write(t, tokenLines+tokens(maxTokens)) }, Nobody, Nobody, "has more than 1000 tokens"},
		"too much":       {func(t *testing.T, f *fixture) { f.write(t, tokenLines+strings.Repeat("#", maxTokenFile)) }, Nobody, Nobody, "is larger than 262144 bytes"},
		"no file":        {func(t *testing.T, f *fixture) { require.NoError(t, os.Remove(f.file)) }, Nobody, Nobody, "no such file"},
		"a file for all": {func(t *testing.T, f *fixture) { require.NoError(t, os.Chmod(f.file, 0o644)) }, Nobody, Nobody, "chmod 600"},
		"a folder in its place": {func(t *testing.T, f *fixture) {
			require.NoError(t, os.Remove(f.file))
			require.NoError(t, os.Mkdir(f.file, 0o700))
		}, Nobody, Nobody, "is not a file"},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			f.secrets = append(f.secrets, third)
			status := func(token string) int { return f.do(t, bearerOf("POST", "/", "Bearer "+token)).status }
			session := f.signIn(t, map[string]string{"token": operatorToken}).cookie
			tc.change(t, f)
			for range 3 {
				f.advance(fileAge)
				require.Equal(t, map[Role]int{Nobody: 401, Viewer: 403, Operator: 200}[tc.viewer], status(viewerToken))
				require.Equal(t, map[Role]int{Nobody: 401, Viewer: 403, Operator: 200}[tc.carried], status(operatorToken))
				require.Equal(t, tc.carried == Operator, f.do(t, f.withCookie("GET", "/", session)).status == 200)
			}
			wrong := f.logs.FilterMessage("the token file is wrong: only its good lines are taken").All()
			require.Len(t, wrong, 1, "it is logged once")
			require.Contains(t, wrong[0].ContextMap()["error"], tc.log)
			require.NoError(t, os.RemoveAll(f.file))
			f.write(t, tokenLines)
			f.advance(fileAge)
			require.Equal(t, 403, status(viewerToken))
			require.Equal(t, 200, status(operatorToken), "mended")
		})
	}
}

// TestAChangeOfTheSameSizeAndTimeIsSeen: as of an editor on a file system with coarse times.
func TestAChangeOfTheSameSizeAndTimeIsSeen(t *testing.T) {
	f := start(t)
	require.Equal(t, 200, f.do(t, bearerOf("GET", "/", "Bearer "+viewerToken)).status)
	info, err := os.Stat(f.file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(f.file, []byte(strings.Replace(tokenLines, viewerToken, strings.Repeat("x", len(viewerToken)), 1)), 0o600))
	require.NoError(t, os.Chtimes(f.file, info.ModTime(), info.ModTime()))
	f.advance(fileAge)
	require.Equal(t, 401, f.do(t, bearerOf("GET", "/", "Bearer "+viewerToken)).status)
}
