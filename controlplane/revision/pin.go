package revision

import (
	"context"
	"fmt"
)

// SetPin holds a published version, or none where version is empty. It is refused with ErrConflict where the pin's counter is another: then
// somebody else has changed it, and State has the new one. who and comment are as in a [ChangeSet]. The pin is durable, and State has it,
// when SetPin returns; other replicas see it when they next follow. After ErrUnavailable or the end of ctx it may have been set.
func (s *Service) SetPin(ctx context.Context, counter uint64, version, who, comment string) (Pin, error) {
	if err := validateSigned(who, comment); err != nil {
		return Pin{}, err
	}
	if len(version) > MaxVersionBytes {
		return Pin{}, invalid("version", "must have at most %d bytes", MaxVersionBytes)
	}
	p := Pin{Counter: counter, Version: version, Who: who, Comment: comment, At: s.journal.now().UTC()}
	err := s.journal.setPin(ctx, p)
	if err == nil {
		p.Counter++
	}
	// Also after a conflict, so that State shows what was in the way.
	if followed := s.Follow(ctx); err == nil && followed != nil {
		return p, fmt.Errorf("the pin was set, but not read again: %w", followed)
	}
	if err != nil {
		return Pin{}, fmt.Errorf("set the pin: %w", err)
	}
	return p, nil
}
