package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"runtime"

	"golang.org/x/sys/unix"
)

// instrumentAnswer is about as long as an ad's.
const instrumentAnswer = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\n" +
	"x-request-id: 00000000-0000-0000-0000-000000000000\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\nserver: none\r\ncontent-length: 200\r\n\r\n"

// runInstrument is the child: instrument -address host:port. It is the least server that there is, to measure what measures: one thread
// that answers each request with the same bytes.
func runInstrument(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("instrument", flag.ContinueOnError)
	address := f.String("address", "", "to listen at")
	if err := f.Parse(args); err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp4", *address)
	if err != nil {
		return fmt.Errorf("instrument: %w", err)
	}
	return serveInstrument(ctx, listener)
}

// serveInstrument answers until ctx ends or something fails.
func serveInstrument(ctx context.Context, listener net.Listener) error {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("instrument: %w", err)
	}
	failed := make(chan error, 2)
	go func() { failed <- answerAll(epoll) }() // it ends with the program
	go func() {
		for {
			conn, err := listener.Accept()
			if err == nil {
				err = handOver(epoll, conn)
			}
			if err != nil {
				failed <- err
				return
			}
		}
	}()
	defer listener.Close() //nolint:errcheck // nothing is lost
	select {
	case err := <-failed:
		return fmt.Errorf("instrument: %w", err)
	case <-ctx.Done():
		return nil
	}
}

// handOver takes a connection's socket from Go and gives it to the thread that answers.
func handOver(epoll int, conn net.Conn) error {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return errors.New("not TCP")
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	var dup int
	if e := raw.Control(func(fd uintptr) { dup, err = unix.Dup(int(fd)) }); e != nil || err != nil {
		return errors.Join(e, err)
	}
	_ = conn.Close() // the copy stays open
	return unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, dup, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(dup)})
}

func answerAll(epoll int) error {
	runtime.LockOSThread()
	answer := append([]byte(instrumentAnswer), bytes.Repeat([]byte("a"), 200)...)
	var events [openConnections]unix.EpollEvent
	in := make([]byte, 16<<10)
	for {
		n, err := pollEvents(epoll, events[:], -1)
		if err != nil {
			return err
		}
		for _, e := range events[:n] {
			got, err := unix.Read(int(e.Fd), in)
			if err != nil || got == 0 {
				_ = unix.Close(int(e.Fd)) // the client is gone
				continue
			}
			if bytes.HasSuffix(in[:got], headEnd) { // else the rest of the request is to come
				_, _ = unix.Write(int(e.Fd), answer) // a client that is gone is seen by the next read
			}
		}
	}
}
