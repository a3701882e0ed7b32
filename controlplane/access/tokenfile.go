package access

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Limits of a token file.
const (
	maxTokenFile = 256 << 10
	maxTokens    = 1000
	minTokenSize = 32
	maxTokenSize = 256
)

// fileAge is how old what is known of the file may be, where it is asked.
const fileAge = time.Second

// tokenName leaves out the colon, so that nobody is called as someone without credentials is ("local:alice"), and controls.
var tokenName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$`)

// fileToken is a line of the file.
type fileToken struct {
	hash     secretHash
	identity Identity
}

// fileTokens are the tokens of a file, at most 1000.
type fileTokens []fileToken

// find returns the owner of a token by its hash. It compares with all tokens, each in the same time, so that how long it takes tells
// nothing of them.
func (ts fileTokens) find(hash secretHash) (id Identity, ok bool) {
	for i := range ts {
		if subtle.ConstantTimeCompare(ts[i].hash[:], hash[:]) == 1 {
			id, ok = ts[i].identity, true
		}
	}
	return id, ok
}

// name reports whether an owner of a token is called that, in whatever case.
func (ts fileTokens) name(name string) bool {
	return slices.ContainsFunc(ts, func(t fileToken) bool { return strings.EqualFold(t.identity.Name, name) })
}

// parseTokens reads "name role token" from each line; empty lines and those that begin with # say nothing. A name may stand more than
// once, so that a new token can be handed out before the old one is withdrawn. The error names every bad line by its number, and has
// nothing of a token; the tokens are those of the good lines, and none where the file as a whole is wrong.
func parseTokens(text []byte) (fileTokens, error) {
	if len(text) > maxTokenFile {
		return nil, fmt.Errorf("is larger than %d bytes", maxTokenFile)
	}
	var tokens fileTokens
	var errs []error
	seen := map[secretHash]int{}
	line := 0
	for row := range bytes.Lines(text) {
		line++
		fields := bytes.Fields(row)
		if len(fields) == 0 || fields[0][0] == '#' {
			continue
		}
		t, err := parseToken(fields)
		if first, twice := seen[t.hash]; err == nil && twice {
			err = fmt.Errorf("the token of line %d again", first)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("line %d: %w", line, err))
			continue
		}
		seen[t.hash] = line
		tokens = append(tokens, t)
	}
	switch {
	case len(tokens) > maxTokens:
		return nil, fmt.Errorf("has more than %d tokens", maxTokens)
	case len(errs) > 0:
		return tokens, errors.Join(errs...)
	case len(tokens) == 0:
		return nil, errors.New("has no token")
	}
	return tokens, nil
}

// parseToken quotes none of the fields: who mixes up their order has the token in another's place.
func parseToken(fields [][]byte) (fileToken, error) {
	if len(fields) != 3 {
		return fileToken{}, errors.New("is not: name role token")
	}
	t := fileToken{identity: Identity{Name: string(fields[0]), Via: ViaToken}}
	if !tokenName.Match(fields[0]) || t.identity.Name == localName {
		return fileToken{}, errors.New("the name is not 1 to 64 letters, digits, . _ @ + -, or is local")
	}
	switch string(fields[1]) {
	case Viewer.String():
		t.identity.Role = Viewer
	case Operator.String():
		t.identity.Role = Operator
	default:
		return fileToken{}, errors.New("the role is neither viewer nor operator")
	}
	token := fields[2]
	if len(token) < minTokenSize || len(token) > maxTokenSize {
		return fileToken{}, fmt.Errorf("the token is not %d to %d characters long", minTokenSize, maxTokenSize)
	}
	for _, c := range token {
		if c <= ' ' || c > '~' {
			return fileToken{}, errors.New("the token has other than visible ASCII characters")
		}
	}
	t.hash = hashOf(string(token))
	return t, nil
}

// tokenFile is a file that may change: it is read again when it is used, at most every second. What its good lines say then is all that
// counts: a line that is wrong lets nobody in, nor does a file that is gone, that others can read or that cannot be read, until it is
// mended. Anything else would keep a token alive that was withdrawn by the same change. It is safe for concurrent use.
type tokenFile struct {
	path   string
	now    func() time.Time
	logger *zap.Logger

	mu      sync.Mutex
	read    time.Time
	tokens  fileTokens
	problem string // of the last reading; empty: none
}

// openTokenFile reads the file, and takes none in which anything is wrong. An empty path has no tokens.
func openTokenFile(path string, now func() time.Time, logger *zap.Logger) (*tokenFile, error) {
	f := &tokenFile{path: path, now: now, logger: logger}
	if path == "" {
		return f, nil
	}
	var err error
	f.read = now()
	f.tokens, err = readTokens(path)
	return f, err
}

// current are the tokens of now.
func (f *tokenFile) current() fileTokens {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if f.path == "" || now.Sub(f.read) < fileAge {
		return f.tokens
	}
	f.read = now
	// It is read whole each time: that a change shows in the file's time and size is true of most changes only.
	tokens, err := readTokens(f.path)
	f.report(tokens, err)
	f.tokens = tokens
	return f.tokens
}

// report logs what is new: the same problem once.
func (f *tokenFile) report(tokens fileTokens, err error) {
	problem := ""
	if err != nil {
		problem = err.Error()
	}
	switch {
	case problem == f.problem && slices.Equal(tokens, f.tokens):
	case err != nil:
		f.logger.Error("the token file is wrong: only its good lines are taken", zap.Int("tokens", len(tokens)), zap.Error(err))
	default:
		f.logger.Info("the token file is read again", zap.Int("tokens", len(tokens)))
	}
	f.problem = problem
}

// readTokens reads a file that nobody but its owner can read. The tokens and the error are those of [parseTokens].
func readTokens(path string) (fileTokens, error) {
	info, err := os.Stat(path) // before it is opened: to open a pipe may last forever
	if err != nil {
		return nil, fmt.Errorf("token file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("token file: %s is not a file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("token file: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	if info, err = f.Stat(); err != nil {
		return nil, fmt.Errorf("token file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("token file: %s can be used by others than its owner (mode %04o): chmod 600", path, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxTokenFile+1))
	if err != nil {
		return nil, fmt.Errorf("token file: read %s: %w", path, err)
	}
	tokens, err := parseTokens(text)
	if err != nil {
		return tokens, fmt.Errorf("token file: %s: %w", path, err)
	}
	return tokens, nil
}
