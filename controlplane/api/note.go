package api

import (
	"cmp"
	"slices"
	"strconv"

	"adsidecar/controlplane/compile"
)

// keptBack tells who has changed something that it is not published for now; empty: nothing keeps it.
func (s *server) keptBack() string {
	switch {
	case s.Publisher.Pin() != nil:
		return "It is not published while a version is pinned: resume ends that."
	case s.Publisher.Held() != nil: // which may be from before the change
		return "A guard holds what was newest, and may hold this, too."
	}
	return ""
}

// cutNote says of an index that weights ask for more turns than a cycle may have; empty: none do.
func cutNote(index *compile.Result) string {
	if index == nil || index.CutCycles == 0 || len(index.Cuts) == 0 {
		return ""
	}
	worst := slices.MaxFunc(index.Cuts, func(a, b compile.Cut) int { return cmp.Compare(a.Uncut, b.Uncut) })
	text := "The weights of a cycle ask for too many turns"
	if index.CutCycles > 1 {
		text = "The weights of " + strconv.Itoa(index.CutCycles) + " cycles ask for too many turns"
	}
	return text + " and are made smaller: " + worst.Key + " has " + strconv.Itoa(worst.Turns) + " turns in place of " + strconv.Itoa(worst.Uncut) + "."
}
