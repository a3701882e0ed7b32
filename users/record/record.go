// Package record is the domain of the user service: what a user's record is, which values it takes, who may see it, and how it is
// created, read and updated without losing anything.
//
// It knows neither HTTP nor a database. Records are kept by a [Store], which it declares and others implement.
package record

import "time"

// Attributes are what a client writes and reads. Values are kept verbatim. [Attributes.Validate] has every limit.
type Attributes struct {
	Title        string  `json:"title"`
	FirstName    string  `json:"firstName"`
	LastName     string  `json:"lastName"`
	MobileNumber string  `json:"mobileNumber"`
	Address      Address `json:"address"`
}

// Address is where a user lives.
type Address struct {
	Postcode    string `json:"postcode"`
	Suburb      string `json:"suburb"`
	State       string `json:"state"`
	FullAddress string `json:"fullAddress"`
}

// Record is a user's record as it is stored.
type Record struct {
	// UserID is 8 decimal digits, leading zeros included.
	UserID string
	Attributes
	// Owner is the sub of the token that created it. Empty: a record of the table that was there before, which is the operators' only.
	Owner string
	// Version counts the writes, from 1. 0: a record of the table that was there before and was never updated since.
	Version int64
}

// Added is what a client is told of a record that it created.
func (r Record) Added() string {
	return r.Title + " " + r.FirstName + " has been added with userid: " + r.UserID
}

// Change is an update: nil leaves a value untouched.
type Change struct {
	Title        *string        `json:"title,omitempty"`
	FirstName    *string        `json:"firstName,omitempty"`
	LastName     *string        `json:"lastName,omitempty"`
	MobileNumber *string        `json:"mobileNumber,omitempty"`
	Address      *AddressChange `json:"address,omitempty"`
}

// AddressChange is the part of a [Change] about the address.
type AddressChange struct {
	Postcode    *string `json:"postcode,omitempty"`
	Suburb      *string `json:"suburb,omitempty"`
	State       *string `json:"state,omitempty"`
	FullAddress *string `json:"fullAddress,omitempty"`
}

// Caller is who asks: the verified token's sub, and whether its groups make it an operator.
type Caller struct {
	Subject  string
	Operator bool
}

// Key is an idempotency key of a create that succeeded. It is kept with the record for [KeyLifetime].
type Key struct {
	// Name is [KeyName] of the caller's sub and the client's key.
	Name string
	// Request is a hash of the attributes that were created.
	Request string
	// UserID is the record that was created.
	UserID string
	// Expires is when the key is no more, a whole second: see [Key.Expired].
	Expires time.Time
}

// Expired reports whether the key is no more at now. It is so from Expires on.
func (k Key) Expired(now time.Time) bool { return !now.Before(k.Expires) }
