package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// wireTimeout bounds one request.
const wireTimeout = 30 * time.Second

// wire is one HTTP/1.1 connection that sends one GET after the other, with as little work of its own as can be: the load shares the cores
// with what it measures. It is for one goroutine at a time.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
	tail []byte // of each request, from after its path
	body []byte
	// deadline is moved on now and then, not with each request.
	deadline time.Time
}

func dialWire(address, token string) (*wire, error) {
	conn, err := net.DialTimeout("tcp", address, wireTimeout)
	if err != nil {
		return nil, err
	}
	return &wire{
		conn: conn, in: bufio.NewReaderSize(conn, 8<<10),
		tail: requestTail(token),
	}, nil
}

// requestTail is a request from after its path.
func requestTail(token string) []byte {
	return []byte(" HTTP/1.1\r\nHost: ads.example.com\r\nUser-Agent: game/1.0\r\nAccept: application/json\r\nAuthorization: Bearer " + token + "\r\n\r\n")
}

// get returns the status and the body, which is good until the next call.
func (w *wire) get(path string) (status int, body []byte, err error) {
	if err := w.send(path); err != nil {
		return 0, nil, err
	}
	return w.receive()
}

func (w *wire) send(path string) error {
	if now := time.Now(); w.deadline.Sub(now) < wireTimeout/2 {
		w.deadline = now.Add(wireTimeout)
		if err := w.conn.SetDeadline(w.deadline); err != nil {
			return err
		}
	}
	w.out = append(append(append(w.out[:0], "GET "...), path...), w.tail...)
	_, err := w.conn.Write(w.out)
	return err
}

var (
	lengthHeader = []byte("content-length: ")
	errAnswer    = errors.New("an answer is not HTTP/1.1 with a content-length")
)

// receive reads an answer as Envoy writes it: names in lower case, and always a content-length.
func (w *wire) receive() (status int, body []byte, err error) {
	line, err := w.in.ReadSlice('\n')
	if err != nil {
		return 0, nil, err
	}
	if len(line) < len("HTTP/1.1 200") {
		return 0, nil, errAnswer
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, nil, errAnswer
	}
	length := -1
	for {
		if line, err = w.in.ReadSlice('\n'); err != nil {
			return 0, nil, err
		}
		line = bytes.TrimSuffix(line, []byte("\r\n"))
		if len(line) == 0 {
			break
		}
		if value, ok := bytes.CutPrefix(line, lengthHeader); ok {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, nil, errAnswer
			}
		}
	}
	if length < 0 || length > 1<<20 {
		return 0, nil, fmt.Errorf("%w: its length is %d", errAnswer, length)
	}
	if cap(w.body) < length {
		w.body = make([]byte, length)
	}
	w.body = w.body[:length]
	_, err = io.ReadFull(w.in, w.body)
	return status, w.body, err
}

func (w *wire) close() { _ = w.conn.Close() } // only read from
