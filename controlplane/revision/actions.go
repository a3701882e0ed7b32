package revision

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ActionKind is what an operator did about what is published.
type ActionKind string

// The kinds of actions.
const (
	ActionRollback ActionKind = "rollback" // a version was pinned
	ActionResume   ActionKind = "resume"   // the pin was taken off
	ActionConfirm  ActionKind = "confirm"  // a version that a guard held back is to be published
	ActionRefuse   ActionKind = "refuse"   // it is not
)

// Action is what an operator did about what is published, as it was: [Pin] and [Decision] tell what came of the last ones. It is stored in the
// commit that does it, and never changed or removed.
type Action struct {
	// Number counts from 1, without a gap. What was done before actions were kept is not among them.
	Number uint64     `json:"-"`
	Kind   ActionKind `json:"kind"`
	// Version is what it was about. Of a resume: what was pinned, if that was known to the replica.
	Version string `json:"version,omitempty"`
	// Base is the version that was published when a guard held Version back; "" for none, and of other kinds.
	Base    string    `json:"base,omitempty"`
	Who     string    `json:"who"`
	Comment string    `json:"comment,omitempty"`
	At      time.Time `json:"at"`
}

// actionTries is how often an action is tried while replicas take others, or keep versions.
const actionTries = 5

// act commits what an operator said, and the record of it. It is ErrConflict where something else was said meanwhile, and ErrNoVersion for
// a rollback to what is not kept.
func (j *journal) act(ctx context.Context, said Put, a Action) error {
	for range actionTries {
		puts, err := j.record(ctx, a)
		if err != nil {
			return err
		}
		if a.Kind == ActionRollback {
			same, err := j.listed(ctx, a.Version)
			if err != nil {
				return err
			}
			puts = append(puts, same)
		}
		if err := j.store.Commit(ctx, append(puts, said)...); !errors.Is(err, ErrConflict) {
			return err
		}
		if err := j.possible(ctx, said); err != nil {
			return err
		}
	}
	return ErrContended
}

// record makes a the newest action.
func (j *journal) record(ctx context.Context, a Action) ([]Put, error) {
	last, err := j.lastAction(ctx)
	if err != nil {
		return nil, err
	}
	moved, movedErr := put(actionsKey, last.version, head{Number: last.Number + 1})
	added, addedErr := put(actionKey(last.Number+1), 0, a)
	return []Put{moved, added}, errors.Join(movedErr, addedErr)
}

func (j *journal) lastAction(ctx context.Context) (head, error) {
	entries, err := j.store.Read(ctx, actionsKey)
	if err != nil {
		return head{}, fmt.Errorf("read the number of actions: %w", err)
	}
	last := head{version: entries[0].Version}
	return last, readJSON(entries[0], actionsKey, &last)
}

// Actions returns the newest actions before a number, at most limit, newest first, and how many there are in all; before 0 stands for the
// end. It asks the store for all of that.
func (s *Service) Actions(ctx context.Context, before uint64, limit int) (page []Action, total uint64, err error) {
	last, err := s.journal.lastAction(ctx)
	if err != nil {
		return nil, 0, err
	}
	err = s.journal.records(ctx, newest(last.Number, before, limit), actionKey, func(number uint64, value []byte) error {
		a := Action{Number: number}
		err := json.Unmarshal(value, &a)
		page = append(page, a)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read actions: %w", err)
	}
	return page, last.Number, nil
}
