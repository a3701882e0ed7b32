package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAnAnswerIsTakenWhenItIsWhole(t *testing.T) {
	const answer = "HTTP/1.1 404 Not Found\r\nx: y\r\ncontent-length: 5\r\n\r\nhello"
	var b answerBuffer
	for i := range len(answer) {
		b.length = copy(b.data[:], answer[:i])
		_, done, err := b.whole()
		require.NoError(t, err)
		require.False(t, done, "%q", answer[:i])
	}
	b.length = copy(b.data[:], answer)
	status, done, err := b.whole()
	require.NoError(t, err)
	require.True(t, done)
	require.Equal(t, 404, status)
	for name, text := range map[string]string{
		"more than an answer": answer + "H",
		"no length":           "HTTP/1.1 200 OK\r\nx: y\r\n\r\n",
		"a length of letters": "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
		"a length too great":  "HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n",
		"a negative length":   "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
		"no status":           "HTTP/1.1 abc OK\r\ncontent-length: 0\r\n\r\n",
		"another status":      "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			b.length = copy(b.data[:], text)
			_, done, err := b.whole()
			require.Error(t, err)
			require.False(t, done)
		})
	}
	b.length = len(b.data)
	clear(b.data[:])
	_, _, err = b.whole()
	require.ErrorIs(t, err, errAnswer, "a head that does not end")
}

func TestAScheduleIsRandomAndTheSameForAll(t *testing.T) {
	times := func(start time.Duration) []time.Duration {
		var all []time.Duration
		for s := newSchedule(start, 1000, 10*time.Second); !s.over(); s.next() {
			all = append(all, s.due-start)
		}
		return all
	}
	first := times(0)
	require.InDelta(t, 10_000, len(first), 400)
	require.Equal(t, first, times(time.Hour))
	short := 0
	for i := 1; i < len(first); i++ {
		if first[i]-first[i-1] < time.Millisecond {
			short++
		}
	}
	require.InDelta(t, 0.632, float64(short)/float64(len(first)), 0.03, "the share of gaps below the mean of exponential ones")
}
