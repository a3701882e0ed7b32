package token

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestARememberedTokenExpires(t *testing.T) {
	p := newPool(t)
	v := p.verifier(t)
	token := p.access(map[string]any{"exp": p.in(time.Minute)})
	require.NoError(t, verify(t, v, token))
	p.advance(time.Minute + clockSkew)
	require.NoError(t, verify(t, v, token))
	p.advance(time.Nanosecond)
	require.ErrorIs(t, verify(t, v, token), ErrUnauthorized)
}

func TestOnlyGoodTokensAreRemembered(t *testing.T) {
	p := newPool(t)
	v := p.verifier(t)
	require.Error(t, verify(t, v, p.access(map[string]any{"client_id": "client-3"})))
	require.Error(t, verify(t, v, p.access(map[string]any{"nbf": p.in(time.Hour)})))
	require.Error(t, verify(t, v, p.sign(draft{key: otherKey()})))
	require.Empty(t, v.keys.set.Load().verified.young)
	require.NoError(t, verify(t, v, p.access(nil)))
	require.Len(t, v.keys.set.Load().verified.young, 1)
}

func TestGroupsBelongToTheCaller(t *testing.T) {
	p := newPool(t)
	v := p.verifier(t)
	token := p.id(map[string]any{"cognito:groups": []string{"players"}})
	for range 3 {
		claims, err := v.Verify(t.Context(), token)
		require.NoError(t, err)
		require.Equal(t, []string{"players"}, claims.Groups)
		claims.Groups[0] = "operators"
	}
}

func TestCacheIsBoundedAndKeepsWhatIsUsed(t *testing.T) {
	const size = 8
	c := newCache(size)
	id := func(n uint64) (id tokenID) {
		binary.BigEndian.PutUint64(id[:], n)
		return id
	}
	c.put(id(0), Claims{Subject: "used"})
	for n := range uint64(20 * size) {
		c.put(id(n+1), Claims{Subject: "other"})
		require.LessOrEqual(t, len(c.young)+len(c.old), 2*size)
		used, ok := c.get(id(0))
		require.True(t, ok)
		require.Equal(t, "used", used.Subject)
		_, ok = c.get(id(n + 1))
		require.True(t, ok)
	}
	_, ok := c.get(id(1))
	require.False(t, ok)
}
