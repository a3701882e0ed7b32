package campaign

import (
	"fmt"
	"iter"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const plainAd = `{"id":%q,"video_url":"https://v/%s","country":"us","lang":"eng","start_hour":0,"end_hour":0}`

func adJSON(id, path string) string { return fmt.Sprintf(plainAd, id, path) }

func mustDecode(t require.TestingT, ads ...string) *Document {
	text := `{"ads":[`
	for i, ad := range ads {
		if i > 0 {
			text += ","
		}
		text += ad
	}
	doc, err := Decode([]byte(text + "]}"))
	require.NoError(t, err)
	return doc
}

// rowsOf are rows in the order of a map, which is another each time.
func rowsOf(rows map[string]string) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for id, text := range rows {
			if !yield(id, []byte(text)) {
				return
			}
		}
	}
}

// inForce are the campaigns of an Effective as id, URL's path, and ! for a paused one.
func inForce(e *Effective) []string {
	all := []string{}
	for _, c := range e.Document.Campaigns {
		text := c.ID + c.VideoURL[len("https://v"):]
		if c.Paused {
			text += "!"
		}
		all = append(all, text)
	}
	return all
}

func TestWhatOperatorsSayIsInForce(t *testing.T) {
	for name, c := range map[string]struct {
		source     []string
		rows       map[string]string
		want       []string
		overridden []string
		unreadable []string
	}{
		"nothing: the source's document itself": {
			source: []string{adJSON("a", "s")}, want: []string{"a/s"},
		},
		"a campaign of theirs is added": {
			source: []string{adJSON("b", "s")}, rows: map[string]string{"c": adJSON("c", "o"), "a": adJSON("a", "o")},
			want: []string{"b/s", "a/o", "c/o"},
		},
		"one with the id of the source's replaces it whole": {
			source: []string{adJSON("a", "s"), adJSON("b", "s")}, rows: map[string]string{"a": adJSON("a", "o")},
			want: []string{"b/s", "a/o"}, overridden: []string{"a"},
		},
		"one with the id of a rejected ad serves": {
			source: []string{`{"id":"a"}`}, rows: map[string]string{"a": adJSON("a", "o")}, want: []string{"a/o"},
		},
		"a pause keeps the source's campaign, paused": {
			source: []string{adJSON("a", "s"), adJSON("b", "s")}, rows: map[string]string{"a": ""}, want: []string{"a/s!", "b/s"},
		},
		"a pause of what the source has not does nothing": {
			source: []string{adJSON("b", "s")}, rows: map[string]string{"a": ""}, want: []string{"b/s"},
		},
		"a row that cannot be read takes the source's campaign out": {
			source: []string{adJSON("a", "s"), adJSON("b", "s")}, rows: map[string]string{"a": `{"id":"a"}`, "c": "{"},
			want: []string{"b/s"}, overridden: []string{"a"}, unreadable: []string{"a", "c"},
		},
		"a row of another id is none": {
			rows: map[string]string{"a": adJSON("b", "o")}, want: []string{}, unreadable: []string{"a"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			source := mustDecode(t, c.source...)
			e := new(Overlay).Apply(source, rowsOf(c.rows))
			require.Equal(t, c.want, inForce(e))
			var overridden, unreadable []string
			for _, o := range e.Overridden {
				overridden = append(overridden, o.ID)
			}
			for _, u := range e.Unreadable {
				require.NotEmpty(t, u.Errors)
				unreadable = append(unreadable, u.ID)
			}
			require.Equal(t, c.overridden, overridden)
			require.Equal(t, c.unreadable, unreadable)
			require.Equal(t, len(unreadable), e.UnreadableRows)
			require.Equal(t, source.Rejected, e.Document.Rejected)
			require.Same(t, source, e.Source)
			if len(c.rows) == 0 {
				require.Same(t, source, e.Document, "no copy")
			}
		})
	}
}

func TestAPauseFollowsItsSource(t *testing.T) {
	o, rows := new(Overlay), rowsOf(map[string]string{"a": ""})
	require.Equal(t, []string{"a/1!"}, inForce(o.Apply(mustDecode(t, adJSON("a", "1")), rows)))
	require.Empty(t, inForce(o.Apply(mustDecode(t), rows)))
	source := mustDecode(t, adJSON("a", "2"))
	require.Equal(t, []string{"a/2!"}, inForce(o.Apply(source, rows)))
	require.False(t, source.Campaigns[0].Paused, "the source's document stays as it is")
}

func TestOnlyAnEditedRowIsParsedAgain(t *testing.T) {
	a, b := []byte(adJSON("a", "1")), []byte(adJSON("b", "1"))
	source, o := mustDecode(t), new(Overlay)
	apply := func(rows map[string][]byte) []string { return inForce(o.Apply(source, maps.All(rows))) }
	require.Equal(t, []string{"a/1", "b/1"}, apply(map[string][]byte{"a": a, "b": b}))
	copy(a, adJSON("a", "2")) // which nobody may do: it shows whether the row is read again
	require.Equal(t, []string{"a/1", "b/2"}, apply(map[string][]byte{"a": a, "b": []byte(adJSON("b", "2"))}))
	require.Equal(t, []string{"b/2"}, apply(map[string][]byte{"b": []byte(adJSON("b", "2"))}))
	require.Equal(t, []string{"a/2"}, apply(map[string][]byte{"a": a}), "what is gone is forgotten")
}

// TestOverlayModel compares with the rules, one id at a time, over changes of rows and documents.
func TestOverlayModel(t *testing.T) {
	ids := []string{"a", "b", "c", "d", "e"}
	rapid.Check(t, func(t *rapid.T) {
		var o Overlay
		rows := map[string][]byte{}
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			var ads []string
			source := map[string]string{}
			for _, id := range rapid.Permutation(ids).Draw(t, "order") {
				if path := rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "source "+id); path != "" {
					ads = append(ads, adJSON(id, path))
					source[id] = path
				}
				switch rapid.SampledFrom([]string{"keep", "remove", "pause", "own", "broken"}).Draw(t, "row "+id) {
				case "remove":
					delete(rows, id)
				case "pause":
					rows[id] = nil
				case "own":
					rows[id] = []byte(adJSON(id, rapid.SampledFrom([]string{"x", "y"}).Draw(t, "path")))
				case "broken":
					rows[id] = []byte("{}")
				}
			}
			e := o.Apply(mustDecode(t, ads...), maps.All(rows))
			count := 0
			for _, id := range ids {
				text, said := rows[id]
				path, has := source[id]
				got, found := e.Get(id)
				own := said && len(text) > len("{}")
				want := own || has && (!said || text == nil)
				require.Equal(t, want, found, id)
				if !found {
					continue
				}
				count++
				require.Equal(t, own, got.Operator, id)
				require.Equal(t, own && has, got.Overridden != nil, id)
				require.Equal(t, said && !own, got.PausedByOperator, id)
				require.Equal(t, said && !own, got.Campaign.Paused, id)
				if own {
					require.Contains(t, string(text), got.Campaign.VideoURL)
					require.Equal(t, -1, got.Campaign.Index)
				} else {
					require.Equal(t, "https://v/"+path, got.Campaign.VideoURL)
				}
			}
			require.Len(t, e.Document.Campaigns, count)
			require.Len(t, e.Entries(), count)
			_, found := e.Get("f")
			require.False(t, found)
		}
	})
}
