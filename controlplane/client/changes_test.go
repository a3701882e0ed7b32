package client

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"adsidecar/controlplane/apiv1"
)

func TestFieldChanges(t *testing.T) {
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	for name, tc := range map[string]struct {
		before, after string
		want          []apiv1.FieldChange
	}{
		"a field is changed, one is added, one is removed": {`{"b":1,"c":"x"}`, `{"a":[1],"b":2}`, []apiv1.FieldChange{
			{Field: "a", After: raw("[1]")}, {Field: "b", Before: raw("1"), After: raw("2")}, {Field: "c", Before: raw(`"x"`)},
		}},
		"white space":              {`{"a":[1, 2]}`, "{\n\"a\":[1,2]}", nil},
		"null is none":             {`{"a":null}`, `{}`, nil},
		"it was not there":         {`null`, `{"a":1}`, []apiv1.FieldChange{{Field: "a", After: raw("1")}}},
		"it is not there any more": {`{"a":1}`, ``, []apiv1.FieldChange{{Field: "a", Before: raw("1")}}},
		"what is no object":        {`[1]`, `{"a"`, nil},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tc.want, FieldChanges(raw(tc.before), raw(tc.after))) })
	}
}

func FuzzFieldChanges(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":null}`), []byte(` {"a" : 2}`))
	f.Add([]byte(`null`), []byte(`{"a":{"b":[ ]}}`))
	f.Fuzz(func(t *testing.T, before, after []byte) {
		for _, c := range FieldChanges(before, after) {
			require.NotEqual(t, c.Before, c.After, c.Field)
			require.True(t, json.Valid(c.Before) || len(c.Before) == 0)
			require.True(t, json.Valid(c.After) || len(c.After) == 0)
		}
		require.Empty(t, FieldChanges(before, before))
	})
}
