package api

import (
	"net/http"
	"strconv"

	"adsidecar/controlplane/apiv1"
)

// listActions pages from the newest to the first: what is done meanwhile is before the first page.
func (s *server) listActions(c *call) error {
	limit, before, err := c.pageByCount()
	if err != nil {
		return err
	}
	actions, total, err := s.History.Actions(c.Context(), before, limit)
	if err != nil {
		return err
	}
	page := apiv1.Page[apiv1.Action]{Items: []apiv1.Action{}, Total: int(total)}
	for _, a := range actions {
		page.Items = append(page.Items, apiv1.Action{
			Number: a.Number, Kind: string(a.Kind), Version: a.Version, Base: a.Base, Who: a.Who, Comment: a.Comment, At: a.At.UTC(),
		})
	}
	if n := len(actions); n > 0 && actions[n-1].Number > 1 {
		page.Next = cursorOf(strconv.FormatUint(actions[n-1].Number, 10))
	}
	return c.write(http.StatusOK, page)
}
