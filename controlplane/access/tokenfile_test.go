package access

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestParseTokens(t *testing.T) {
	token := func(n int) string { return strings.Repeat("x", n) }
	for name, tc := range map[string]struct {
		text string
		want string // error, each line; empty: none
	}{
		"comments, empty lines, tabs and carriage returns": {tokenLines + "  # more\r\n\r\n  bob  viewer  " + token(32) + "\r\n", ""},
		"the last line without its end":                    {"a viewer " + token(32), ""},
		"a name twice, while a token is replaced":          {"a viewer " + token(32) + "\na viewer " + token(33), ""},
		"the longest token":                                {"a viewer " + token(256), ""},
		"nothing":                                          {"", "has no token"},
		"comments alone":                                   {"# a viewer " + token(32), "has no token"},
		"two fields":                                       {"a viewer", "line 1: is not: name role token"},
		"four fields":                                      {"\na viewer " + token(32) + " # the reason", "line 2: is not: name role token"},
		"a short token":                                    {"a viewer " + token(31), "line 1: the token is not 32 to 256 characters long"},
		"a long token":                                     {"a viewer " + token(257), "line 1: the token is not 32 to 256 characters long"},
		"a token with letters of elsewhere":                {"a viewer é" + token(32), "line 1: the token has other than visible ASCII characters"},
		"a token with a control character":                 {"a viewer \x00" + token(32), "line 1: the token has other than visible ASCII characters"},
		"a token that is DEL":                              {"a viewer \x7f" + token(32), "line 1: the token has other than visible ASCII characters"},
		"an unknown role":                                  {"a admin " + token(32), "line 1: the role is neither viewer nor operator"},
		"a role in capitals":                               {"a Viewer " + token(32), "line 1: the role is neither viewer nor operator"},
		"nobody":                                           {"a nobody " + token(32), "line 1: the role is neither viewer nor operator"},
		"a name that is local":                             {"local operator " + token(32), "line 1: the name is not 1 to 64 letters, digits, . _ @ + -, or is local"},
		"a name with a colon":                              {"local:root operator " + token(32), "line 1: the name is not 1 to 64 letters, digits, . _ @ + -, or is local"},
		"a token twice":                                    {"a viewer " + token(32) + "\nb operator " + token(32), "line 2: the token of line 1 again"},
		"each bad line is named":                           {"x\na viewer " + token(32) + "\ny", "line 1: is not: name role token\nline 3: is not: name role token"},
		"fields in another order":                          {token(70) + " viewer a", "line 1: the name is not 1 to 64 letters, digits, . _ @ + -, or is local"},
		"too many":                                         {tokens(maxTokens + 1), "has more than 1000 tokens"},
		"too large":                                        {strings.Repeat("#", maxTokenFile+1), "is larger than 262144 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseTokens([]byte(tc.text))
			if tc.want == "" {
				require.NoError(t, err)
				require.NotEmpty(t, got)
				return
			}
			require.EqualError(t, err, tc.want)
			require.Nil(t, got)
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
			require.Nil(t, got)
			for word := range strings.FieldsSeq(string(text)) {
				if len(word) >= minTokenSize {
					require.NotContains(t, err.Error(), word)
				}
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

	f.write(t, "vera operator")
	for range 3 {
		f.advance(fileAge)
		require.Equal(t, Operator, role(viewerToken), "a wrong file changes nothing")
	}
	require.NoError(t, os.Remove(f.file))
	for range 3 {
		f.advance(time.Hour)
		require.Equal(t, Operator, role(viewerToken), "nor does none")
	}
	require.Equal(t, 2, logs.FilterLevelExact(zap.ErrorLevel).Len(), "each is logged once")

	f.write(t, tokenLines)
	f.advance(fileAge)
	require.Equal(t, Viewer, role(viewerToken))
	require.NoError(t, os.Chmod(f.file, 0o644))
	f.advance(fileAge)
	require.Equal(t, Viewer, role(viewerToken))
	require.Equal(t, 3, logs.FilterLevelExact(zap.ErrorLevel).Len())
}
