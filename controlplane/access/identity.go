package access

import "context"

// Role is what somebody may do. A higher one may all that a lower one may.
type Role int

// The roles. Nobody is the zero value: whatever was forgotten may nothing.
const (
	Nobody   Role = iota
	Viewer        // reads
	Operator      // reads and writes
)

// String is "viewer", "operator" or "nobody".
func (r Role) String() string {
	switch r {
	case Viewer:
		return "viewer"
	case Operator:
		return "operator"
	}
	return "nobody"
}

// MarshalText implements encoding.TextMarshaler.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// How somebody is known, for [Identity.Via].
const (
	ViaLoopback = "loopback" // without credentials, from this machine
	ViaToken    = "token"    // a token of the file
	ViaCognito  = "cognito"  // a token of the user pool
)

// Identity is who makes a request.
type Identity struct {
	// Name is what the token's owner is called; "local" without credentials, "local:alice" where the system's user is known.
	Name string `json:"name"`
	Role Role   `json:"role"`
	// Via is one of ViaLoopback, ViaToken and ViaCognito.
	Via string `json:"via"`
}

type identityKey struct{}

func with(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// From returns who makes the request that ctx belongs to. Behind [Guard.Handler]'s protected handler there is always somebody;
// elsewhere it is the zero value, whose role is [Nobody].
func From(ctx context.Context) Identity {
	id, _ := ctx.Value(identityKey{}).(Identity)
	return id
}
