package zone_test

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/zone"
)

func TestTheVersionIsTheFiles(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("zoneinfo.zip")
	require.NoError(t, err)
	sum := sha256.Sum256(data)
	require.Equal(t, "2025c", zone.Version(), "change the checksum with it")
	require.Equal(t, "8f55634d05f8bca1f7bc7c69c5933428c69357e0bdf565e5ba224e3f88ff12e8", hex.EncodeToString(sum[:]), "change the version with it")
}

func TestEveryZoneLoads(t *testing.T) {
	t.Parallel()
	names := zone.Names()
	require.True(t, slices.IsSorted(names))
	require.Greater(t, len(names), 590)
	require.Subset(t, names, []string{"UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+12", "GMT", "US/Eastern"})
	for _, name := range names {
		loc, err := zone.Load(name)
		require.NoError(t, err)
		require.Equal(t, name, loc.String())
		again, err := zone.Load(name)
		require.NoError(t, err)
		require.Same(t, loc, again)
		for _, year := range []int{-1, 1, 1850, 1970, 2027, 9999, 20000} {
			from := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
			for _, transition := range zone.Transitions(loc, from, from.AddDate(1, 0, 0)) {
				require.True(t, year < 1972 || transition.OffsetSeconds%60 == 0 && transition.At%60 == 0, "%s: %v", name, transition)
			}
		}
	}
	utc, err := zone.Load("UTC")
	require.NoError(t, err)
	require.Same(t, time.UTC, utc)
}

var badNames = []string{
	"", "Local", "local", "utc", "europe/berlin", "Europe/Berlin ", " Europe/Berlin", "Europe/Berlin\x00", "Europe", "Europe/", "/Europe/Berlin",
	"../x", "../../etc/passwd", "Europe/../Europe/Berlin", "./UTC", "Europe//Berlin", `Europe\Berlin`, "/etc/localtime", "zoneinfo.zip",
	"UTC+1", "CEST-2", "+01:00", "Factory", "Mars/Phobos",
}

func TestNamesThatAreNotInTheDatabaseAreErrors(t *testing.T) {
	t.Parallel()
	for _, name := range badNames {
		loc, err := zone.Load(name)
		require.EqualError(t, err, "no such name in the tz database 2025c", "%q", name)
		require.Nil(t, loc)
	}
}

func FuzzLoad(f *testing.F) {
	for _, name := range append([]string{"Europe/Berlin", "UTC", "Asia/Kathmandu"}, badNames...) {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		loc, err := zone.Load(name)
		require.Equal(t, slices.Contains(zone.Names(), name), err == nil)
		if err == nil {
			require.Equal(t, name, loc.String())
		}
	})
}

// TestTheMachinesDatabaseIsNotRead puts another zone under the name of one where time.LoadLocation looks first.
func TestTheMachinesDatabaseIsNotRead(t *testing.T) {
	archive, err := zip.OpenReader("zoneinfo.zip")
	require.NoError(t, err)
	kathmandu, err := fs.ReadFile(archive, "Asia/Kathmandu")
	require.NoError(t, errors.Join(err, archive.Close()))
	folder := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(folder, "Pacific"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "Pacific", "Marquesas"), kathmandu, 0o600))
	t.Setenv("ZONEINFO", folder)

	loc, err := zone.Load("Pacific/Marquesas")
	require.NoError(t, err)
	_, offset := time.Date(2027, 1, 1, 0, 0, 0, 0, loc).Zone()
	require.Equal(t, -(9*60+30)*60, offset)
}
