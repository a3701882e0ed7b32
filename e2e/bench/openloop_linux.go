package main

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// openLoop sends requests at times that are fixed beforehand. Latency counts from the time at which a request was due, not from when it
// could be sent: a server that stands still for 10 ms has made all the requests of these 10 ms late (no coordinated omission). It returns
// how long each request took.
//
// It is one thread that never sleeps, on raw sockets: Go's scheduler, timers and garbage collector would be in the figures. The thread
// wants a core of its own.
func openLoop(address string, tokens []string, paths []path, rate float64, duration time.Duration) ([]time.Duration, error) {
	o := &openRun{paths: paths, took: make([]time.Duration, 0, 2*int(rate*duration.Seconds())+1024)}
	defer o.close()
	if err := o.dial(address, tokens); err != nil {
		return nil, err
	}
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := o.run(newSchedule(time.Since(began), rate, duration))
	return o.took, err
}

// openRun is one run of openLoop.
type openRun struct {
	epoll int
	all   map[int32]*openConn // by their sockets
	idle  []*openConn
	paths []path
	sent  int
	out   []byte
	took  []time.Duration
}

// openConn is a connection with at most one request on its way.
type openConn struct {
	fd   int
	tail []byte // of each request, from after its path
	due  time.Duration
	in   answerBuffer
}

func (o *openRun) dial(address string, tokens []string) (err error) {
	if o.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	to, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return err
	}
	sockaddr := &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())}
	o.all = map[int32]*openConn{}
	for i := range openConnections {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("socket: %w", err)
		}
		c := &openConn{fd: fd, tail: requestTail(tokens[i%len(tokens)])}
		o.all[int32(fd)] = c
		if err := errors.Join(
			unix.Connect(fd, sockaddr), unix.SetNonblock(fd, true), unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
			unix.EpollCtl(o.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}),
		); err != nil {
			return fmt.Errorf("connect to %s: %w", address, err)
		}
		// The first request, which opens everything on its way, does not count.
		if err := o.send(c, time.Since(began)); err != nil {
			return err
		}
	}
	for limit := time.Since(began) + openTimeout; len(o.idle) < len(o.all); {
		if err := o.receive(); err != nil {
			return err
		}
		if time.Since(began) > limit {
			return errOpenTimeout
		}
	}
	o.took = o.took[:0]
	return nil
}

// run returns when all that was due is answered.
func (o *openRun) run(s *schedule) error {
	for answered := time.Since(began); ; {
		now := time.Since(began)
		for !s.over() && s.due <= now && len(o.idle) > 0 {
			c := o.idle[len(o.idle)-1]
			o.idle = o.idle[:len(o.idle)-1]
			if err := o.send(c, s.due); err != nil {
				return err
			}
			s.next()
		}
		before := len(o.took)
		if err := o.receive(); err != nil {
			return err
		}
		switch {
		case len(o.took) > before || len(o.idle) == len(o.all):
			answered = now
		case now-answered > openTimeout:
			return errOpenTimeout
		}
		if s.over() && len(o.idle) == len(o.all) {
			return nil
		}
	}
}

func (o *openRun) send(c *openConn, due time.Duration) error {
	c.due, c.in.length = due, 0
	o.out = append(append(append(o.out[:0], "GET "...), o.paths[o.sent%len(o.paths)].path...), c.tail...)
	o.sent++
	n, err := unix.Write(c.fd, o.out)
	if err == nil && n < len(o.out) {
		err = errors.New("a socket took half of a request")
	}
	return err
}

// receive takes the answers that are there, without waiting.
func (o *openRun) receive() error {
	var events [openConnections]unix.EpollEvent
	n, err := pollEvents(o.epoll, events[:], 0)
	if err != nil {
		return err
	}
	for _, e := range events[:n] {
		c := o.all[e.Fd]
		n, err := unix.Read(c.fd, c.in.data[c.in.length:])
		if err == nil && n == 0 {
			err = errors.New("the connection was closed")
		}
		if err != nil {
			return err
		}
		c.in.length += n
		_, done, err := c.in.whole()
		if err != nil {
			return err
		}
		if done {
			o.took = append(o.took, time.Since(began)-c.due)
			o.idle = append(o.idle, c)
		}
	}
	return nil
}

func (o *openRun) close() {
	for _, c := range o.all {
		_ = unix.Close(c.fd) // only read from
	}
	if o.epoll > 0 {
		_ = unix.Close(o.epoll)
	}
}
