package revision

import (
	"context"
	"errors"
	"fmt"
)

// SetPin holds a published version, or none where version is empty. It is refused with ErrNoVersion where the version is not kept, and with
// ErrConflict where the pin's counter is another: then somebody else has changed it, and State has the new one. who and comment are as in a
// [ChangeSet]. The pin is durable, and State has it unless the store fails just then, when SetPin returns; other replicas see it when they next
// follow. After ErrUnavailable or the end of ctx it may have been set. With the pin an [Action] is stored.
func (s *Service) SetPin(ctx context.Context, counter uint64, version, who, comment string) (Pin, error) {
	if err := errors.Join(validateSigned(who, comment), validateVersion("version", version, 0)); err != nil {
		return Pin{}, err
	}
	p := Pin{Version: version, Who: who, Comment: comment, At: s.journal.now().UTC()}
	said, err := put(pinKey, counter, p)
	if err != nil {
		return Pin{}, err
	}
	a := Action{Kind: ActionRollback, Version: version, Who: who, Comment: comment, At: p.At}
	if version == "" {
		a.Kind = ActionResume
		if now := s.State().Pin; now.Counter == counter {
			a.Version = now.Version
		}
	}
	if err := s.say(ctx, func() error { return s.journal.act(ctx, said, a) }); err != nil {
		return Pin{}, fmt.Errorf("set the pin: %w", err)
	}
	p.Counter = counter + 1
	return p, nil
}

// SetDecision says whether a version that is held back is to be published. d.Counter is that of the decision before it, else it is
// ErrConflict; d.At is set here. It is otherwise as [Service.SetPin].
func (s *Service) SetDecision(ctx context.Context, d Decision) (Decision, error) {
	err := errors.Join(validateSigned(d.Who, d.Comment), validateVersion("version", d.Version, 1), validateVersion("base", d.Base, 0))
	if err != nil {
		return Decision{}, err
	}
	d.At = s.journal.now().UTC()
	w, err := put(decisionKey, d.Counter, d)
	if err != nil {
		return Decision{}, err
	}
	a := Action{Kind: ActionRefuse, Version: d.Version, Base: d.Base, Who: d.Who, Comment: d.Comment, At: d.At}
	if d.Publish {
		a.Kind = ActionConfirm
	}
	if err := s.say(ctx, func() error { return s.journal.act(ctx, w, a) }); err != nil {
		return Decision{}, fmt.Errorf("set the decision: %w", err)
	}
	d.Counter++
	return d, nil
}

// SetPublished tells the other replicas what this one publishes now. p.Counter is that of what was told before it, else it is ErrConflict. It is
// otherwise as [Service.SetPin].
func (s *Service) SetPublished(ctx context.Context, p Published) (Published, error) {
	if err := validateVersion("version", p.Version, 1); err != nil {
		return Published{}, err
	}
	w, err := put(publishedKey, p.Counter, p)
	if err != nil {
		return Published{}, err
	}
	if err := s.say(ctx, func() error { return s.journal.store.Commit(ctx, w) }); err != nil {
		return Published{}, fmt.Errorf("tell what is published: %w", err)
	}
	p.Counter++
	return p, nil
}

// say commits what is said, and brings the state up to it: after a conflict as well, so that State shows what was in the way. What is stored is
// said, whatever has become of ctx meanwhile, and if the store cannot be read again just now.
func (s *Service) say(ctx context.Context, commit func() error) error {
	said := commit()
	if said == nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), settling)
		defer cancel()
	}
	_ = s.Follow(ctx) // Run tries again
	return said
}
