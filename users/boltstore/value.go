package boltstore

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"adsidecar/users/record"
)

// errValue is for a value that this program did not write. Decoding errors themselves quote what they found, which nobody's log may have.
var errValue = errors.New("the stored value is damaged")

// storedRecord is the value of a record. Fields of a later version are kept in Unknown.
type storedRecord struct {
	record.Attributes
	Address storedAddress  `json:"address"` // in place of that of Attributes
	Owner   string         `json:"owner"`
	Version int64          `json:"version"`
	Unknown jsontext.Value `json:",embed"`
}

type storedAddress struct {
	record.Address
	Unknown jsontext.Value `json:",embed"`
}

// set takes over what an update writes.
func (s *storedRecord) set(r record.Record) {
	s.Attributes, s.Address.Address, s.Version = r.Attributes, r.Address, r.Version
}

func (s *storedRecord) record(userID string) record.Record {
	r := record.Record{UserID: userID, Attributes: s.Attributes, Owner: s.Owner, Version: s.Version}
	r.Address = s.Address.Address
	return r
}

// storedOwner is what is left of a record of which something else makes no sense.
type storedOwner struct {
	Owner   string         `json:"owner"`
	Unknown jsontext.Value `json:",embed"`
}

// storedKey is the value of an idempotency key.
type storedKey struct {
	Request string    `json:"request"`
	UserID  string    `json:"userId"`
	Expires time.Time `json:"expires"`
}

func (s *storedKey) key(name string) record.Key {
	return record.Key{Name: name, Request: s.Request, UserID: s.UserID, Expires: s.Expires}
}

// encode fails for text that is not UTF-8, which JSON could not keep verbatim.
func encode[T storedRecord | storedKey](v T) ([]byte, error) {
	value, err := json.Marshal(v)
	if err != nil {
		return nil, errors.New("encode a value for the store: it is not UTF-8 text")
	}
	return value, nil
}

func decode[T storedRecord | storedOwner | storedKey](value []byte) (v T, err error) {
	if err := json.Unmarshal(value, &v); err != nil {
		var at *jsontext.SyntacticError
		if errors.As(err, &at) {
			return v, fmt.Errorf("%w at byte %d", errValue, at.ByteOffset)
		}
		return v, errValue
	}
	return v, nil
}
