package client

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

// maxPage is what is asked for at a time.
const maxPage = 500

// pages reads a list page by page, until it ends or limit items are there; 0: all. A page may have more items than are left of limit.
// next returns the cursor after a page and the number of its items. After an error there is nothing more.
func pages[T any](ctx context.Context, c *Client, path string, q url.Values, limit int, next func(T) (string, int)) iter.Seq2[Answer[T], error] {
	return func(yield func(Answer[T], error) bool) {
		cursor, left := "", limit
		for {
			asked := url.Values{}
			for name, values := range q {
				asked[name] = values
			}
			asked.Set("limit", strconv.Itoa(maxPage))
			if limit > 0 {
				asked.Set("limit", strconv.Itoa(min(left, maxPage)))
			}
			if cursor != "" {
				asked.Set("cursor", cursor)
			}
			a, err := ask[T](ctx, c, call{method: http.MethodGet, path: path, query: asked})
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
