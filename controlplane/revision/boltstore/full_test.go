package boltstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/revision"
)

const (
	// fileLimit is how long the file may become: the system refuses to make it longer, as it does where the disk is full.
	fileLimit = 4 << 20
	tooMany   = 2 * fileLimit / revision.MaxCampaignBytes
)

// incompressible are edits of n rows as long as they may be.
func incompressible(prefix string, n int) revision.ChangeSet {
	random := rand.NewChaCha8([32]byte{byte(n)})
	c := revision.ChangeSet{Who: "ann", Kind: revision.Import}
	for i := range n {
		content := make([]byte, revision.MaxCampaignBytes)
		_, _ = random.Read(content) // it has no error
		c.Edits = append(c.Edits, revision.RowEdit{ID: fmt.Sprint(prefix, i), After: &revision.Row{Campaign: content}})
	}
	return c
}

var errTold = errors.New("another error than that there is no room")

// fill prints what is said when there is no room, first for a set that is too large, and then for small ones, and how many revisions there are.
func fill(path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: fileLimit, Max: fileLimit}); err != nil {
		return err
	}
	s, err := Open(path)
	if err != nil {
		return err
	}
	service, err := revision.New(revision.Config{Store: s})
	if err != nil {
		return err
	}
	ctx := context.Background()
	_, large := service.Apply(ctx, incompressible("large-", tooMany))
	if !errors.Is(large, revision.ErrUnavailable) {
		return fmt.Errorf("%w: %w", errTold, large)
	}
	fmt.Println(large)
	for n := 0; ; n++ {
		_, err := service.Apply(ctx, incompressible(fmt.Sprintf("small-%d-", n), 1))
		if err == nil {
			continue
		}
		if !errors.Is(err, revision.ErrUnavailable) {
			return fmt.Errorf("%w: %w", errTold, err)
		}
		fmt.Println(err)
		fmt.Println(n)
		return s.Close()
	}
}

func TestAFullDiskIsNamedAndWhatHasRoomIsWritten(t *testing.T) {
	path := newPath(t)
	out, err := child(t, "fill", path).Output()
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	require.Len(t, lines, 3)
	const noRoom = "the store is unavailable: the file cannot be written: "
	for i, prefix := range []string{"write the changes: ", "write revision "} {
		require.True(t, strings.HasPrefix(lines[i], prefix), lines[i])
		require.Contains(t, lines[i], noRoom)
		require.Contains(t, lines[i], syscall.EFBIG.Error())
	}
	made, err := strconv.Atoi(lines[2])
	require.NoError(t, err)
	require.Greater(t, made, fileLimit/revision.MaxCampaignBytes/3, "what the large set had written is free again")

	service, err := revision.New(revision.Config{Store: open(t, path)})
	require.NoError(t, err)
	require.NoError(t, service.Follow(t.Context()))
	require.EqualValues(t, made, service.State().Rows.Revision())
	require.Equal(t, made, service.State().Rows.Len())
}
