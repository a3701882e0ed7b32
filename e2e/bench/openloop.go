package main

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// openConnections are more than are ever busy at half load: a request that finds none free waits, and its wait counts.
const openConnections = 64

// openTimeout is how long nothing may come of an open loop.
const openTimeout = 3 * time.Second

// began is what due times count from; it has the monotonic clock.
var began = time.Now()

// schedule gives the times at which requests are due: random ones (a Poisson process), the same for every contender.
type schedule struct {
	random *rand.Rand
	rate   float64 // requests a second
	due    time.Duration
	end    time.Duration
}

func newSchedule(start time.Duration, rate float64, duration time.Duration) *schedule {
	s := &schedule{random: rand.New(rand.NewPCG(1, 3)), rate: rate, due: start, end: start + duration}
	s.next()
	return s
}

// over tells whether nothing is due any more.
func (s *schedule) over() bool { return s.due >= s.end }

func (s *schedule) next() {
	s.due += time.Duration(s.random.ExpFloat64() / s.rate * float64(time.Second))
}

// answerBuffer takes one answer.
type answerBuffer struct {
	data   [16 << 10]byte
	length int
}

var (
	headEnd       = []byte("\r\n\r\n")
	lengthOnAName = []byte("\r\ncontent-length: ")
)

// whole tells whether the answer is complete, and its status. Answers are as [wire.receive] takes them.
func (b *answerBuffer) whole() (status int, done bool, err error) {
	data := b.data[:b.length]
	head := bytes.Index(data, headEnd)
	if head < 0 {
		if b.length == len(b.data) {
			return 0, false, errAnswer
		}
		return 0, false, nil
	}
	at := bytes.Index(data[:head], lengthOnAName)
	if at < 0 || head < len("HTTP/1.1 200") {
		return 0, false, errAnswer
	}
	digits, _, _ := bytes.Cut(data[at+len(lengthOnAName):head], headEnd[:2])
	body, err := strconv.ParseUint(string(digits), 10, 31)
	if err != nil || int(body) > len(b.data)-head-len(headEnd) {
		return 0, false, errAnswer
	}
	if status, err = strconv.Atoi(string(data[9:12])); err != nil {
		return 0, false, errAnswer
	}
	switch whole := head + len(headEnd) + int(body); {
	case b.length < whole:
		return 0, false, nil
	case b.length > whole:
		return 0, false, fmt.Errorf("%w: more came than was asked for", errAnswer)
	}
	if status != 200 && status != 404 {
		return status, false, fmt.Errorf("status %d: %.200s", status, data[head+len(headEnd):])
	}
	return status, true, nil
}

var errOpenTimeout = errors.New("no answer within " + openTimeout.String())
