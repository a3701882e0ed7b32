package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"adsidecar/e2e/refmodel"
	"adsidecar/e2e/stack"
)

// connection is one game's connection, so all of its requests meet the same worker.
type connection struct {
	client *http.Client
	url    string
	token  string
}

func connect(t *testing.T, s *stack.Stack) *connection {
	t.Helper()
	transport := &http.Transport{MaxConnsPerHost: 1, MaxIdleConnsPerHost: 1}
	t.Cleanup(transport.CloseIdleConnections)
	return &connection{client: &http.Client{Transport: transport}, url: s.BaseURL(), token: s.Token()}
}

// ask is the id that a key gets, "" for a 404. With a time it is asked of the module with test hooks at that second.
func (c *connection) ask(ctx context.Context, country, lang string, at time.Time) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+stack.AdPath(country, lang), nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", c.token)
	if !at.IsZero() {
		req.Header.Set("X-Test-Unix", strconv.FormatInt(at.Unix(), 10))
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return "", err
	}
	var got struct {
		stack.Ad
		Code string
	}
	if err := json.Unmarshal(body, &got); err != nil {
		return "", fmt.Errorf("%d %s: %w", resp.StatusCode, body, err)
	}
	if resp.StatusCode == http.StatusOK && got.ID != "" || resp.StatusCode == http.StatusNotFound && got.Code == "no_ad_available" {
		return got.ID, nil
	}
	return "", fmt.Errorf("%d %s", resp.StatusCode, body)
}

// id is ask for a key that must be answered, now.
func (c *connection) id(t *testing.T, country, lang string) string {
	t.Helper()
	id, err := c.ask(deadline(t, 10*time.Second), country, lang, time.Time{})
	require.NoError(t, err)
	return id
}

// turns predict what one worker's cursor of a key serves: nothing is known before the first answer, everything after it.
type turns struct {
	next  int
	known bool
}

// requireNext takes a turn among the eligible ads, which are in the order of their turns.
func (r *turns) requireNext(t *testing.T, eligible []string, got, request string) {
	t.Helper()
	if len(eligible) == 0 {
		require.Empty(t, got, request)
		return
	}
	if !r.known {
		require.Contains(t, eligible, got, request)
		r.known = true
		for r.next < len(eligible) && eligible[r.next] != got {
			r.next++
		}
	}
	r.next %= len(eligible)
	require.Equal(t, eligible[r.next], got, "%s among %v", request, eligible)
	r.next = (r.next + 1) % len(eligible)
}

// aliases are the spellings of a country and those of a language of which a request may have any.
func aliases(country, lang string) (countries, langs []string) {
	countries, langs = []string{strings.ToLower(country)}, []string{lang}
	if countries[0] == "uk" {
		countries = append(countries, "gb")
	}
	for _, l := range refmodel.Languages() {
		if codes := []string{l.Alpha2, l.Terminology, l.Bibliographic}; slices.Contains(codes, lang) {
			return countries, slices.DeleteFunc(codes, func(code string) bool { return code == "" })
		}
	}
	return countries, langs
}

// TestSampleCampaignsAtEveryHour compares every answer of the 100-ad document with the reference model: the ads and their order, in the
// first and the last second of every hour, by every spelling of every key.
func TestSampleCampaignsAtEveryHour(t *testing.T) {
	s := served(t, stack.Options{Module: hooks(t)})
	sample, err := os.ReadFile(filepath.Join(tools.Root, "compose", "campaigns.json"))
	require.NoError(t, err)
	model, err := refmodel.New(sample)
	require.NoError(t, err)
	require.Len(t, model.Ads(), 100)
	keys := map[[2]string]bool{}
	for _, ad := range model.Ads() {
		keys[[2]string{ad.Country, ad.Lang}] = true
	}
	require.Len(t, keys, 13)

	c, day := connect(t, s), time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC)
	requests := 0
	for key := range keys {
		t.Run(key[0]+"/"+key[1], func(t *testing.T) {
			ctx := deadline(t, time.Minute)
			var cursor turns
			countries, langs := aliases(key[0], key[1])
			for h := range 24 {
				for _, second := range []time.Duration{0, time.Hour - time.Second} {
					at := day.Add(time.Duration(h)*time.Hour + second)
					var eligible []string
					for _, ad := range model.Eligible(key[0], key[1], at) {
						eligible = append(eligible, ad.ID)
					}
					for _, country := range countries {
						for _, lang := range langs {
							for range max(len(eligible), 1) {
								got, err := c.ask(ctx, country, lang, at)
								require.NoError(t, err)
								cursor.requireNext(t, eligible, got, fmt.Sprintf("%s/%s at %s", country, lang, at.Format(time.TimeOnly)))
								requests++
							}
						}
					}
				}
			}
		})
	}
	require.Greater(t, requests, 4000)
	t.Logf("%d answers compared", requests)
}

// TestWindowsBeginAndEndOnTheSecond: nothing is pushed at the hour, the filter's clock decides.
func TestWindowsBeginAndEndOnTheSecond(t *testing.T) {
	windows := map[string]struct {
		start, end  int
		first, last string // seconds of the day; "" for all day
	}{
		"from 1 to 14":                  {1, 14, "01:00:00", "13:59:59"},
		"one hour":                      {23, 24, "23:00:00", "23:59:59"},
		"the first hour":                {0, 1, "00:00:00", "00:59:59"},
		"to midnight, written 0":        {14, 0, "14:00:00", "23:59:59"},
		"to midnight, written 24":       {14, 24, "14:00:00", "23:59:59"},
		"past midnight":                 {22, 2, "22:00:00", "01:59:59"},
		"all but one hour":              {15, 14, "15:00:00", "13:59:59"},
		"all day, written 0 to 24":      {0, 24, "", ""},
		"all day, written 0 to 0":       {0, 0, "", ""},
		"all day, written 7 to 7":       {7, 7, "", ""},
		"all day, written 23 to 23":     {23, 23, "", ""},
		"all but the last hour":         {0, 23, "00:00:00", "22:59:59"},
		"the last hour and the first":   {23, 1, "23:00:00", "00:59:59"},
		"up to the hour that it began ": {9, 8, "09:00:00", "07:59:59"},
	}
	var ads []campaign
	country := map[string]string{}
	for name, w := range windows {
		country[name] = "a" + string(rune('a'+len(country)))
		c := ad(country[name], country[name], "eng")
		c.StartHour, c.EndHour = w.start, w.end
		ads = append(ads, c)
	}
	s := served(t, stack.Options{Module: hooks(t), Campaigns: document(t, ads...)})
	c := connect(t, s)
	version := indexVersion(t, s)
	for _, day := range []string{"2026-12-24", "2027-01-01", "2028-02-29", "1970-01-02", "2100-03-01"} {
		t.Run(day, func(t *testing.T) {
			runs := func(name string, at time.Time) bool {
				id, err := c.ask(deadline(t, 10*time.Second), country[name], "eng", at)
				require.NoError(t, err)
				return id != ""
			}
			for name, w := range windows {
				if w.first == "" {
					for h := range 24 {
						for _, clock := range []string{"%02d:00:00", "%02d:59:59"} {
							require.True(t, runs(name, second(t, day, fmt.Sprintf(clock, h))), "%s at %d", name, h)
						}
					}
					continue
				}
				first, last := second(t, day, w.first), second(t, day, w.last)
				require.False(t, runs(name, first.Add(-time.Second)), "%s, a second before", name)
				require.True(t, runs(name, first), "%s, first second", name)
				require.True(t, runs(name, last), "%s, last second", name)
				require.False(t, runs(name, last.Add(time.Second)), "%s, a second after", name)
			}
		})
	}
	require.Equal(t, version, indexVersion(t, s), "nothing was pushed")
}

func second(t *testing.T, day, clock string) time.Time {
	t.Helper()
	at, err := time.Parse(time.DateTime, day+" "+clock)
	require.NoError(t, err)
	return at
}

// indexVersion is the published version.
func indexVersion(t *testing.T, s *stack.Stack) string {
	t.Helper()
	var status struct{ Index struct{ Version string } }
	require.NoError(t, s.ControlPlane().Status(deadline(t, 10*time.Second), &status))
	require.NotEmpty(t, status.Index.Version)
	return status.Index.Version
}
