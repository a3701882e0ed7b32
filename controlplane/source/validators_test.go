package source

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/campaign"
)

// origin serves one document with the validators that it is given, and remembers the conditions of each request.
type origin struct {
	status             int
	body, etag         string
	modified, date     time.Time
	ifMatch, ifModfied []string
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.ifMatch = append(o.ifMatch, r.Header.Get("If-None-Match"))
	o.ifModfied = append(o.ifModfied, r.Header.Get("If-Modified-Since"))
	if o.etag != "" {
		w.Header().Set("ETag", o.etag)
	}
	if !o.modified.IsZero() {
		w.Header().Set("Last-Modified", o.modified.Format(http.TimeFormat))
	}
	if !o.date.IsZero() {
		w.Header().Set("Date", o.date.Format(http.TimeFormat))
	}
	since, _ := http.ParseTime(r.Header.Get("If-Modified-Since"))
	switch match := r.Header.Get("If-None-Match"); {
	case o.status != 0:
		w.WriteHeader(o.status)
	case match != "" && match == o.etag, match == "" && !since.IsZero() && !o.modified.After(since):
		w.WriteHeader(http.StatusNotModified)
	default:
		_, _ = w.Write([]byte(o.body))
	}
}

func TestHTTPAsksByETag(t *testing.T) {
	o := &origin{body: document, etag: `"1"`}
	h := newHTTP(t, HTTPConfig{URL: serve(t, o.ServeHTTP)})

	require.Equal(t, document, pollText(t, h))
	pollUnchanged(t, h)
	o.body, o.etag = `{"ads":[1]}`, `"2"`
	require.Equal(t, `{"ads":[1]}`, pollText(t, h))
	pollUnchanged(t, h)
	require.Equal(t, []string{"", `"1"`, `"1"`, `"2"`}, o.ifMatch)
}

func TestHTTPKeepsConditionsOverFailedPolls(t *testing.T) {
	o := &origin{body: document, etag: `"1"`}
	h := newHTTP(t, HTTPConfig{URL: serve(t, o.ServeHTTP)})

	require.Equal(t, document, pollText(t, h))
	o.status, o.etag = http.StatusInternalServerError, `"error"`
	require.ErrorContains(t, pollError(t, h), "status 500")
	o.status, o.etag = 0, `"1"`
	pollUnchanged(t, h)
	require.Equal(t, []string{"", `"1"`, `"1"`}, o.ifMatch)
}

func TestHTTPForgetsTheConditionsOfABodyThatItCouldNotRead(t *testing.T) {
	o := &origin{body: document, etag: `"1"`}
	h := newHTTP(t, HTTPConfig{MaxBytes: 100, URL: serve(t, o.ServeHTTP)})

	require.Equal(t, document, pollText(t, h))
	o.body, o.etag = strings.Repeat("x", 101), `"2"`
	require.ErrorContains(t, pollError(t, h), "larger than 100 bytes")
	require.ErrorContains(t, pollError(t, h), "larger than 100 bytes")
	require.Equal(t, []string{"", `"1"`, `"1"`}, o.ifMatch)
}

func TestHTTPNotModifiedRefersToTheLastDocumentHandedOut(t *testing.T) {
	o := &origin{body: document, etag: `"good"`}
	h := newHTTP(t, HTTPConfig{URL: serve(t, o.ServeHTTP)})

	require.Equal(t, document, pollText(t, h))
	o.body, o.etag = "<html>", `"bad"`
	require.Equal(t, "<html>", pollText(t, h), "the caller judges it")
	pollUnchanged(t, h)
	o.body, o.etag = document, `"good"`
	require.Equal(t, document, pollText(t, h), "the good one is news again")
	require.Equal(t, []string{"", `"good"`, `"bad"`, `"bad"`}, o.ifMatch)
}

func TestHTTPSameContentWithoutValidatorsIsNotModified(t *testing.T) {
	o := &origin{body: document}
	h := newHTTP(t, HTTPConfig{URL: serve(t, o.ServeHTTP)})

	require.Equal(t, document, pollText(t, h))
	pollUnchanged(t, h)
	require.Equal(t, []string{"", ""}, o.ifMatch)
}

func TestHTTPRefusesNotModifiedToAnUnconditionalRequest(t *testing.T) {
	o := &origin{status: http.StatusNotModified}
	h := newHTTP(t, HTTPConfig{URL: serve(t, o.ServeHTTP)})

	require.ErrorContains(t, pollError(t, h), "status 304 to a request without conditions")
}

func TestHTTPAsksByLastModified(t *testing.T) {
	c := newClock()
	text := func(at time.Time) string { return at.Format(http.TimeFormat) }
	hourAgo := c.at.Add(-time.Hour)
	tests := map[string]struct {
		modified, date time.Time
		etag           string
		want           string
	}{
		"an old modification is asked with":                 {modified: hourAgo, date: c.at, want: text(hourAgo)},
		"it is asked with beside an ETag":                   {modified: hourAgo, date: c.at, etag: `"1"`, want: text(hourAgo)},
		"two seconds are old enough":                        {modified: c.at.Add(-2 * time.Second), date: c.at, want: text(c.at.Add(-2 * time.Second))},
		"one second is not: it may be modified once more":   {modified: c.at.Add(-time.Second), date: c.at},
		"the same second is not":                            {modified: c.at, date: c.at},
		"a modification after the answer is no time at all": {modified: c.at.Add(time.Hour), date: c.at},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := &origin{body: document, modified: tt.modified, date: tt.date, etag: tt.etag}
			h := newHTTP(t, HTTPConfig{URL: serve(t, o.ServeHTTP), Now: c.now})

			require.Equal(t, document, pollText(t, h))
			pollUnchanged(t, h)
			require.Equal(t, []string{"", tt.want}, o.ifModfied)
		})
	}
}

func TestHTTPReadsInFullOnceAMinuteByLastModifiedAlone(t *testing.T) {
	c := newClock()
	o := &origin{body: document, modified: c.at.Add(-time.Hour), date: c.at}
	h := newHTTP(t, HTTPConfig{URL: serve(t, o.ServeHTTP), Now: c.now})

	require.Equal(t, document, pollText(t, h))
	// A rollback: the server says "not newer" of an older file.
	o.body, o.modified = `{"ads":[1]}`, c.at.Add(-2*time.Hour)
	c.at = c.at.Add(modifiedTrust - time.Second)
	pollUnchanged(t, h)
	c.at = c.at.Add(time.Second)
	require.Equal(t, `{"ads":[1]}`, pollText(t, h))
}

func TestHTTPTrustsAnETagForAsLongAsItHolds(t *testing.T) {
	c := newClock()
	o := &origin{body: document, etag: `"1"`}
	h := newHTTP(t, HTTPConfig{URL: serve(t, o.ServeHTTP), Now: c.now})

	require.Equal(t, document, pollText(t, h))
	c.at = c.at.Add(24 * time.Hour)
	pollUnchanged(t, h)
	require.Equal(t, []string{"", `"1"`}, o.ifMatch)
}

func TestHTTPSourceTime(t *testing.T) {
	c := newClock()
	tests := map[string]struct{ modified, want time.Time }{
		"is Last-Modified":                    {modified: c.at.Add(-time.Hour), want: c.at.Add(-time.Hour)},
		"is the time of reading without one":  {want: c.at},
		"is the time of reading if in future": {modified: c.at.Add(time.Hour), want: c.at},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := &origin{body: document, modified: tt.modified}
			h := newHTTP(t, HTTPConfig{URL: serve(t, o.ServeHTTP), Now: c.now})
			snapshot, err := h.Poll(t.Context())
			require.NoError(t, err)
			require.Equal(t, tt.want, snapshot.SourceTime)
		})
	}
}

func TestHTTPResumesWhereAnEarlierProcessStopped(t *testing.T) {
	o := &origin{body: document, etag: `"1"`}
	url := serve(t, o.ServeHTTP)
	earlier := newHTTP(t, HTTPConfig{URL: url})
	snapshot, err := earlier.Poll(t.Context())
	require.NoError(t, err)

	later := newHTTP(t, HTTPConfig{URL: url})
	later.Resume(snapshot, earlier.Position())
	pollUnchanged(t, later)
	require.Equal(t, []string{"", `"1"`}, o.ifMatch)
}

func TestHTTPResumesWithAPositionThatCannotBeRead(t *testing.T) {
	for name, position := range map[string]string{
		"empty":                      "",
		"not JSON":                   "{",
		"not sendable as a header":   `{"etag":"a\r\nb"}`,
		"a time not sendable either": `{"last_modified":"\u0000"}`,
	} {
		t.Run(name, func(t *testing.T) {
			o := &origin{body: document, etag: `"1"`}
			h := newHTTP(t, HTTPConfig{URL: serve(t, o.ServeHTTP)})
			h.Resume(campaign.Snapshot{Data: []byte(document)}, position)
			pollUnchanged(t, h)
			require.Equal(t, []string{""}, o.ifMatch, "read in full, and the content is the same")
		})
	}
}
