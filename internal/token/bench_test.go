package token

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkVerify has the reason for remembering verified tokens.
func BenchmarkVerify(b *testing.B) {
	p := &pool{clock: newClock()}
	token := "Bearer " + p.id(map[string]any{
		"cognito:groups": []string{"operators"}, "cognito:username": "demo", "email": "demo@example.com", "event_id": "e-1", "origin_jti": "j-1",
	})
	for name, forget := range map[string]bool{"first time": true, "remembered": false} {
		b.Run(name, func(b *testing.B) {
			v := offline(b, p.clock)
			set := v.keys.set.Load()
			b.ReportAllocs()
			for b.Loop() {
				if forget {
					clear(set.verified.young)
				}
				_, err := v.Verify(b.Context(), token)
				require.NoError(b, err)
			}
		})
	}
	b.Run("remembered, by all cores", func(b *testing.B) {
		v := offline(b, p.clock)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := v.Verify(b.Context(), token); err != nil {
					b.Error(err)
				}
			}
		})
	})
}
