package client

import (
	"context"
	"errors"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"strconv"
)

// maxPage is what is asked for at a time.
const maxPage = 500

// page asks for one page of a list.
func page[T any](ctx context.Context, c *Client, path string, q url.Values, cursor string, limit int) (Answer[T], error) {
	asked := url.Values{"limit": {strconv.Itoa(limit)}}
	maps.Copy(asked, q)
	if cursor != "" {
		asked.Set("cursor", cursor)
	}
	return ask[T](ctx, c, call{method: http.MethodGet, path: path, query: asked})
}

// pages reads a list page by page, until it ends or limit items are there; 0: all. A page may have more items than are left of limit.
// read returns the page after a cursor, and next the cursor after a page and the number of its items. After an error there is nothing more.
func pages[T any](
	limit int, read func(cursor string, limit int) (Answer[T], error), next func(T) (string, int),
) iter.Seq2[Answer[T], error] {
	return func(yield func(Answer[T], error) bool) {
		cursor, left := "", limit
		for {
			size := maxPage
			if limit > 0 {
				size = min(left, maxPage)
			}
			a, err := read(cursor, size)
			if err != nil {
				yield(Answer[T]{}, err)
				return
			}
			following, items := next(a.Value)
			if following != "" && (following == cursor || items == 0) {
				yield(Answer[T]{}, &FormatError{Err: errors.New("the list goes on and does not advance")})
				return
			}
			left -= items
			if !yield(a, nil) || following == "" || limit > 0 && left <= 0 {
				return
			}
			cursor = following
		}
	}
}
