// Package refmodel decides ad requests as naively as possible: it keeps a document's ads as they stand and scans all of
// them for every question. It is written from the rules alone and imports no part of the product, so that tests can
// compare the two; it is not part of any program.
//
// It covers the plain six-field document. Documents that repeat a member of an object or are not UTF-8 are outside it.
package refmodel

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Ad is one ad that can be served.
type Ad struct {
	ID, URL       string
	Country, Lang string // as in the document
	Start, End    int    // hours, as in the document
}

// Model answers for one document. It is read-only, so any number of goroutines may ask it.
type Model struct {
	ads      []Ad
	rejected []int
}

// New reads a document. It fails where the document as a whole is unusable.
func New(document []byte) (*Model, error) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var top map[string]any
	if err := decoder.Decode(&top); err != nil {
		return nil, fmt.Errorf("read document: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("read document: more after its end")
	}
	list, ok := top["ads"].([]any)
	if !ok {
		return nil, errors.New(`read document: no "ads" array`)
	}
	m := &Model{}
	for i, element := range list {
		ad, ok := read(element)
		taken := slices.ContainsFunc(m.ads, func(earlier Ad) bool { return earlier.ID == ad.ID })
		if !ok || taken {
			m.rejected = append(m.rejected, i)
			continue
		}
		m.ads = append(m.ads, ad)
	}
	return m, nil
}

// Ads returns every ad that is served at some hour, in document order.
func (m *Model) Ads() []Ad { return slices.Clone(m.ads) }

// Rejected returns the places in the document, counted from 0, of the ads that are never served.
func (m *Model) Rejected() []int { return slices.Clone(m.rejected) }

// Eligible returns the ads that a request with these two parameters can get at that time, in the order of their turns.
// Nothing is eligible for a parameter that a request may not have.
func (m *Model) Eligible(country, lang string, at time.Time) []Ad {
	if !countryShape.MatchString(country) || !langShape.MatchString(lang) {
		return nil
	}
	var eligible []Ad
	for _, ad := range m.ads {
		if sameCountry(ad.Country, country) && sameLanguage(strings.ToLower(ad.Lang), strings.ToLower(lang)) &&
			runs(ad, at.UTC().Hour()) {
			eligible = append(eligible, ad)
		}
	}
	slices.SortFunc(eligible, func(a, b Ad) int { return strings.Compare(a.ID, b.ID) })
	return eligible
}

// runs walks the clock from the ad's start to its end, one hour after the other.
func runs(ad Ad, hour int) bool {
	h := ad.Start
	for {
		if h == hour {
			return true
		}
		if h = (h + 1) % 24; h == ad.End%24 {
			return false
		}
	}
}

func sameCountry(a, b string) bool {
	a, b = strings.ToUpper(a), strings.ToUpper(b)
	british := func(c string) bool { return c == "GB" || c == "UK" }
	return a == b || british(a) && british(b)
}

var (
	idShape      = regexp.MustCompile(`^[ -~]{1,128}$`)
	urlShape     = regexp.MustCompile(`^(?i:https?)://([^/?#@]*@)?([^/?#@:\[\]]+|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?([/?#]|$)`)
	countryShape = regexp.MustCompile(`^[A-Za-z]{2}$`)
	langShape    = regexp.MustCompile(`^[A-Za-z]{2,3}$`)
	integer      = regexp.MustCompile(`^-?[0-9]+$`)
)

func read(element any) (Ad, bool) {
	fields, ok := element.(map[string]any)
	if !ok {
		return Ad{}, false
	}
	id, okID := fields["id"].(string)
	url, okURL := fields["video_url"].(string)
	country, okCountry := fields["country"].(string)
	lang, okLang := fields["lang"].(string)
	start, okStart := hour(fields["start_hour"], 23)
	end, okEnd := hour(fields["end_hour"], 24)
	ok = okID && idShape.MatchString(id) &&
		okURL && urlShape.MatchString(url) && len(url) <= 2048 && !strings.ContainsFunc(url, unicode.IsControl) &&
		okCountry && countryShape.MatchString(country) &&
		okLang && langShape.MatchString(lang) &&
		okStart && okEnd
	return Ad{ID: id, URL: url, Country: country, Lang: lang, Start: start, End: end}, ok
}

func hour(value any, highest int) (int, bool) {
	number, ok := value.(json.Number)
	if !ok || !integer.MatchString(number.String()) {
		return 0, false
	}
	h, err := strconv.Atoi(number.String())
	return h, err == nil && 0 <= h && h <= highest
}
