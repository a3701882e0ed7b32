package access

import (
	"bytes"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
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

// fileAge is how old what is known of the file may be.
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

// parseTokens reads "name role token" from each line; empty lines and those that begin with # say nothing. A name may stand more than
// once, so that a new token can be handed out before the old one is withdrawn. The error names every bad line by its number, and has
// nothing of a token.
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
	case len(errs) > 0:
		return nil, errors.Join(errs...)
	case len(tokens) == 0:
		return nil, errors.New("has no token")
	case len(tokens) > maxTokens:
		return nil, fmt.Errorf("has more than %d tokens", maxTokens)
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

// tokenFile is a file that may change: it is looked at again when it is used, at most every second. A changed file that is wrong, or
// gone, changes nothing but the log, so that a slip of the editor locks nobody out. It is safe for concurrent use.
type tokenFile struct {
	path   string
	now    func() time.Time
	logger *zap.Logger

	mu     sync.Mutex
	looked time.Time
	last   fileState // that was read, well or not
	tokens fileTokens
}

// fileState is what changes with a file's content; nil: there is no file.
type fileState struct{ info fs.FileInfo }

func (a fileState) same(b fileState) bool {
	if a.info == nil || b.info == nil {
		return a.info == nil && b.info == nil
	}
	return os.SameFile(a.info, b.info) && a.info.ModTime().Equal(b.info.ModTime()) && a.info.Size() == b.info.Size() && a.info.Mode() == b.info.Mode()
}

// openTokenFile reads the file. An empty path has no tokens.
func openTokenFile(path string, now func() time.Time, logger *zap.Logger) (*tokenFile, error) {
	f := &tokenFile{path: path, now: now, logger: logger}
	if path == "" {
		return f, nil
	}
	var err error
	f.looked, f.last = now(), statTokens(path)
	f.tokens, err = readTokens(path)
	return f, err
}

// current are the tokens of now.
func (f *tokenFile) current() fileTokens {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if f.path == "" || now.Sub(f.looked) < fileAge {
		return f.tokens
	}
	f.looked = now
	// Looked at before it is read: a change in between is seen the next time.
	state := statTokens(f.path)
	if state.same(f.last) {
		return f.tokens
	}
	f.last = state
	tokens, err := readTokens(f.path)
	if err != nil {
		f.logger.Error("the changed token file is not taken: the tokens before it stay", zap.Error(err))
		return f.tokens
	}
	f.tokens = tokens
	f.logger.Info("the token file is read again", zap.Int("tokens", len(tokens)))
	return f.tokens
}

func statTokens(path string) fileState {
	info, err := os.Stat(path)
	if err != nil {
		return fileState{}
	}
	return fileState{info}
}

// readTokens reads a file that nobody but its owner can read.
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
		return nil, fmt.Errorf("token file: %s: %w", path, err)
	}
	return tokens, nil
}
