package api

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"

	"adsidecar/controlplane/revision"
)

// Items of a page: unless asked otherwise, and at most.
const (
	defaultPage = 50
	maxPage     = revision.MaxPage
)

// readLimit reads the parameter limit.
func readLimit(q url.Values) (int, error) {
	if !q.Has("limit") {
		return defaultPage, nil
	}
	n, err := strconv.Atoi(q.Get("limit"))
	if err != nil || n < 1 || n > maxPage {
		return 0, badField("limit", fmt.Sprintf("limit must be a number from 1 to %d.", maxPage))
	}
	return n, nil
}

// A cursor names the last item of the page before, so that what is added or removed meanwhile moves no other item over the edge.
func cursorOf(last string) string { return base64.RawURLEncoding.EncodeToString([]byte(last)) }

var errCursor = badField("cursor", `cursor must be the "next" of the page before.`)

// readCursor reads the parameter cursor; "" at the beginning.
func readCursor(q url.Values) (string, error) {
	last, err := base64.RawURLEncoding.Strict().DecodeString(q.Get("cursor"))
	if err != nil {
		return "", errCursor
	}
	return string(last), nil
}

// readCount reads a cursor that is a number; 0 at the beginning.
func readCount(q url.Values) (uint64, error) {
	last, err := readCursor(q)
	if err != nil || last == "" {
		return 0, err
	}
	n, err := strconv.ParseUint(last, 10, 63)
	if err != nil {
		return 0, errCursor
	}
	return n, nil
}
