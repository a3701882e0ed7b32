package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"adsidecar/controlplane/apiv1"
	"adsidecar/controlplane/compile"
	"adsidecar/filter/adindex"
)

// opened keeps the index that was read from the store last: while a pin or a guard keeps newer campaigns back, every question about what is
// published is about that one. It is safe for concurrent use.
type opened struct {
	mu      sync.Mutex
	version string
	index   *adindex.Reader
}

func (o *opened) get(version string) *adindex.Reader {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.version != version {
		return nil
	}
	return o.index
}

func (o *opened) put(version string, index *adindex.Reader) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.version, o.index = version, index
}

// published is the index that Envoys are given.
func (s *server) published(c *call) (version string, index *adindex.Reader, err error) {
	status := s.Publisher.Status().Index
	if status == nil {
		return "", nil, errNoIndex
	}
	version = status.Version
	if v := s.Publisher.View(); v != nil && v.Index != nil && v.Index.Version == version {
		s.opened.put("", nil) // nothing is kept back any more
		index, err = adindex.Reopen(v.Index.Bytes)
		return version, index, err
	}
	if index = s.opened.get(version); index != nil {
		return version, index, nil
	}
	if err := s.diffs.wait(c.Context()); err != nil { // all of it is in memory
		return "", nil, err
	}
	defer s.diffs.leave()
	if index, err = s.index(c, version); err != nil {
		return "", nil, err
	}
	s.opened.put(version, index)
	return version, index, nil
}

// served answers from the index that Envoys are given, as they do.
func (s *server) served(c *call) error {
	asked, err := c.asked(s.Now())
	if err != nil {
		return err
	}
	version, index, err := s.published(c)
	if err != nil {
		return err
	}
	answer, err := servedBy(index, asked)
	if err != nil {
		return err
	}
	answer.Version = version
	return c.write(http.StatusOK, answer)
}

func servedBy(index *adindex.Reader, asked adRequest) (apiv1.Served, error) {
	s := apiv1.Served{
		Country: asked.country, Lang: asked.lang, At: asked.at.UTC().Truncate(time.Minute), Ads: []apiv1.ServedAd{}, Cycle: []int{},
	}
	key, ok := adindex.MakeKey(asked.country, asked.lang)
	if !ok {
		return s, fmt.Errorf("%s/%s is no key", asked.country, asked.lang)
	}
	entry, ok := index.Find(key)
	if !ok {
		return s, nil
	}
	s.Key = index.CursorKey(entry.Cursor()).String()
	places := map[adindex.AdRef]int{}
	cycle := index.CycleAt(entry, s.At.Unix())
	for turn := range cycle.Len() {
		ad := cycle.Ad(turn)
		place, ok := places[ad]
		if !ok {
			var answer struct{ ID, URL string }
			if err := json.Unmarshal(compile.AppendAnswer(nil, index, ad), &answer); err != nil {
				return s, fmt.Errorf("ad %d of the index: %w", ad, err)
			}
			place = len(s.Ads)
			places[ad] = place
			s.Ads = append(s.Ads, apiv1.ServedAd{ID: answer.ID, VideoURL: answer.URL})
		}
		s.Cycle = append(s.Cycle, place)
	}
	return s, nil
}
