package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"

	"adsidecar/e2e/stack"
)

// redisConnections are pooled: as many as the service has requests at once under the load of these benchmarks.
const redisConnections = 32

// redisStore keeps a list for each key and hour, and takes a turn by one command, RPOPLPUSH from a list to itself: one trip for a request,
// which is the least that there is.
type redisStore struct{ idle chan *redisConn }

// newRedisStore fills an empty Redis with the lists of this hour and the next; no measurement takes longer.
func newRedisStore(address string, table adTable, hour int) (*redisStore, error) {
	s := &redisStore{idle: make(chan *redisConn, redisConnections)}
	for range redisConnections {
		c, err := dialRedis(address)
		if err != nil {
			return nil, err
		}
		s.idle <- c
	}
	c := <-s.idle
	defer func() { s.idle <- c }()
	for key := range table {
		for _, h := range []int{hour, (hour + 1) % 24} {
			cycle := table.cycle(key, h)
			args := []string{"RPUSH", redisKey(makeStoreKey(key.Country, key.Lang), h)}
			for i := len(cycle) - 1; i >= 0; i-- { // the first turn is taken from the end
				args = append(args, cycle[i])
			}
			if len(cycle) == 0 {
				continue
			}
			if _, err := c.do(args...); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

func redisKey(key storeKey, hour int) string {
	return "ads:" + strings.TrimRight(string(key[:]), "\x00") + ":" + strconv.Itoa(hour)
}

func (s *redisStore) next(key storeKey, hour int) ([]byte, error) {
	c := <-s.idle
	defer func() { s.idle <- c }()
	list := redisKey(key, hour)
	return c.do("RPOPLPUSH", list, list)
}

// redisConn is a connection in the Redis serialisation protocol. It is for one goroutine at a time.
type redisConn struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
}

func dialRedis(address string) (*redisConn, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	return &redisConn{conn: conn, in: bufio.NewReader(conn)}, nil
}

// do sends a command and reads its answer: the bytes of a string, which are the caller's, nil for none, and the digits of a number.
func (c *redisConn) do(args ...string) ([]byte, error) {
	c.out = strconv.AppendInt(append(c.out[:0], '*'), int64(len(args)), 10)
	for _, arg := range args {
		c.out = strconv.AppendInt(append(c.out, "\r\n$"...), int64(len(arg)), 10)
		c.out = append(append(c.out, "\r\n"...), arg...)
	}
	if _, err := c.conn.Write(append(c.out, "\r\n"...)); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	if len(line) < 3 {
		return nil, errors.New("redis: an answer is empty")
	}
	rest := string(line[1 : len(line)-2])
	switch line[0] {
	case '+', ':':
		return []byte(rest), nil
	case '$':
		n, err := strconv.Atoi(rest)
		if err != nil || n > 64<<20 {
			return nil, fmt.Errorf("redis: a string's length is %q", rest)
		}
		if n < 0 {
			return nil, nil
		}
		value := make([]byte, n+2)
		if _, err := io.ReadFull(c.in, value); err != nil {
			return nil, fmt.Errorf("redis: %w", err)
		}
		return value[:n], nil
	default:
		return nil, fmt.Errorf("redis: the answer is %q", line)
	}
}

// errNoRedis says that there is no redis-server on this machine.
var errNoRedis = errors.New("redis-server is not on PATH")

// startRedis starts a redis-server that writes nothing to disk.
func startRedis(ctx context.Context) (address string, p *stack.Process, err error) {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return "", nil, errNoRedis
	}
	port, err := stack.ReservePort()
	if err != nil {
		return "", nil, err
	}
	p, err = stack.StartProcess(stack.Command{Name: "redis", Path: path, Args: []string{
		"--port", strconv.Itoa(port.Number), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
	}})
	if err != nil {
		return "", nil, err
	}
	err = p.WaitFor(ctx, "ready", func(context.Context) error {
		c, err := dialRedis(port.Address())
		if err != nil {
			return err
		}
		defer c.conn.Close() //nolint:errcheck // nothing was written
		_, err = c.do("PING")
		return err
	})
	if err != nil {
		p.Kill()
		return "", nil, err
	}
	return port.Address(), p, nil
}
