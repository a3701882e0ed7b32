package publish

import (
	"errors"
	"fmt"
	"path/filepath"

	"adsidecar/controlplane/campaign"
)

// LastGood reads the last good document that a Loop with this state directory keeps, for programs that need it while no
// Loop runs. It fails if there is none, if it is damaged, or if it is of another source. It writes nothing.
func LastGood(stateDir string, source Source) (campaign.Snapshot, error) {
	if stateDir == "" {
		return campaign.Snapshot{}, errors.New("no state directory")
	}
	s := &store{dir: stateDir, path: filepath.Join(stateDir, stateFile)}
	g, err := s.load()
	if err != nil {
		return campaign.Snapshot{}, err // names the file
	}
	if g.Source != identify(source) {
		return campaign.Snapshot{}, fmt.Errorf("%s is of another source: %s", s.path, g.Location)
	}
	return campaign.Snapshot{Data: g.Data, SourceTime: g.SourceTime}, nil
}

// identify returns what tells the source from others.
func identify(source Source) string {
	if r, ok := source.(Resumer); ok {
		return r.Identity()
	}
	kind, location := source.Describe()
	return kind + " " + location
}
