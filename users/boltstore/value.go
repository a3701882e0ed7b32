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
	Title        string         `json:"title"`
	FirstName    string         `json:"firstName"`
	LastName     string         `json:"lastName"`
	MobileNumber string         `json:"mobileNumber"`
	Address      storedAddress  `json:"address"`
	Owner        string         `json:"owner"`
	Version      int64          `json:"version"`
	Unknown      jsontext.Value `json:",embed"`
}

type storedAddress struct {
	Postcode    string         `json:"postcode"`
	Suburb      string         `json:"suburb"`
	State       string         `json:"state"`
	FullAddress string         `json:"fullAddress"`
	Unknown     jsontext.Value `json:",embed"`
}

func newStored(r record.Record) *storedRecord {
	s := &storedRecord{Owner: r.Owner}
	s.set(r)
	return s
}

// set takes over what an update writes.
func (s *storedRecord) set(r record.Record) {
	s.Title, s.FirstName, s.LastName, s.MobileNumber = r.Title, r.FirstName, r.LastName, r.MobileNumber
	a := &s.Address
	a.Postcode, a.Suburb, a.State, a.FullAddress = r.Address.Postcode, r.Address.Suburb, r.Address.State, r.Address.FullAddress
	s.Version = r.Version
}

func (s *storedRecord) record(userID string) record.Record {
	a := s.Address
	return record.Record{
		UserID: userID,
		Attributes: record.Attributes{
			Title: s.Title, FirstName: s.FirstName, LastName: s.LastName, MobileNumber: s.MobileNumber,
			Address: record.Address{Postcode: a.Postcode, Suburb: a.Suburb, State: a.State, FullAddress: a.FullAddress},
		},
		Owner:   s.Owner,
		Version: s.Version,
	}
}

// encode fails for text that is not UTF-8, which JSON could not keep verbatim.
func (s *storedRecord) encode() ([]byte, error) { return encode(s) }

func decodeRecord(value []byte) (storedRecord, error) {
	var s storedRecord
	err := decode(value, &s)
	return s, err
}

// storedKey is the value of an idempotency key.
type storedKey struct {
	Request string    `json:"request"`
	UserID  string    `json:"userId"`
	Expires time.Time `json:"expires"`
}

func newStoredKey(k record.Key) *storedKey {
	return &storedKey{Request: k.Request, UserID: k.UserID, Expires: k.Expires.UTC()}
}

func (s *storedKey) key(name string) record.Key {
	return record.Key{Name: name, Request: s.Request, UserID: s.UserID, Expires: s.Expires}
}

func (s *storedKey) encode() ([]byte, error) { return encode(s) }

func decodeKey(value []byte) (storedKey, error) {
	var s storedKey
	err := decode(value, &s)
	return s, err
}

func encode(v any) ([]byte, error) {
	value, err := json.Marshal(v)
	if err != nil {
		return nil, errors.New("encode a value for the store: it is not UTF-8 text")
	}
	return value, nil
}

func decode(value []byte, into any) error {
	if err := json.Unmarshal(value, into); err != nil {
		var at *jsontext.SyntacticError
		if errors.As(err, &at) {
			return fmt.Errorf("%w at byte %d", errValue, at.ByteOffset)
		}
		return errValue
	}
	return nil
}
