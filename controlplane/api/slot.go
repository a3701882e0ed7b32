package api

import "context"

// slots bound how many requests are in a part that needs much: memory, or time of a slow client.
type slots chan struct{}

// enter takes a slot, or returns errBusy where none is free.
func (s slots) enter() error {
	select {
	case s <- struct{}{}:
		return nil
	default:
		return errBusy
	}
}

// wait takes a slot as soon as one is free, or returns errBusy at the end of ctx.
func (s slots) wait(ctx context.Context) error {
	select {
	case s <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errBusy
	}
}

func (s slots) leave() { <-s }
