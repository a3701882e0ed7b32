package api

import "adsidecar/controlplane/revision"

// kindOf is what an edit does to the campaign of an id, as whoever asks for it sees it in a view.
func kindOf(v *view, id string, i item, there bool, after *revision.Row) revision.Kind {
	switch {
	case !there && after != nil:
		return revision.Create
	case !there, i.Operator && after == nil:
		return revision.Delete
	case after == nil: // all that operators say of it is that it is paused
		return revision.Resume
	}
	changed := fieldChanges(i.canonical(), v.under(id, after))
	switch {
	case len(changed) != 1 || changed[0].Field != "enabled":
		return revision.Edit
	case i.Campaign.Paused:
		return revision.Resume
	default:
		return revision.Pause
	}
}
