package storetest

import (
	"context"
	"strings"
	"testing" //nolint:depguard // a suite for tests in other folders; no program imports it

	"github.com/stretchr/testify/require" //nolint:depguard // as testing

	"adsidecar/users/record"
)

// jane is john's record after an update of everything that an update may change.
func jane(userID string, version int64) record.Record {
	r := john(userID)
	r.Version = version
	r.Attributes = record.Attributes{
		Title: "Dr", FirstName: "Jane", LastName: "Roe", MobileNumber: "0498 765 432",
		Address: record.Address{Postcode: "3000", Suburb: "Melbourne", State: "VIC", FullAddress: "2 Collins St, Melbourne VIC 3000"},
	}
	return r
}

// at is r in another version.
func at(r record.Record, version int64) record.Record {
	r.Version = version
	return r
}

// parts are changes of one attribute each.
var parts = map[string]func(a *record.Attributes){
	"title":               func(a *record.Attributes) { a.Title = "Dr" },
	"firstName":           func(a *record.Attributes) { a.FirstName = "Jane" },
	"lastName":            func(a *record.Attributes) { a.LastName = "Roe" },
	"mobileNumber":        func(a *record.Attributes) { a.MobileNumber = "" },
	"address.postcode":    func(a *record.Attributes) { a.Address.Postcode = "3000" },
	"address.suburb":      func(a *record.Attributes) { a.Address.Suburb = "Melbourne" },
	"address.state":       func(a *record.Attributes) { a.Address.State = "VIC" },
	"address.fullAddress": func(a *record.Attributes) { a.Address.FullAddress = "" },
}

var updates = suite{
	"only what differs from what was read is written": func(t *testing.T, s record.Store) {
		require.NoError(t, s.Create(ctx(t), john("31327518"), nil, now))
		want := john("31327518")
		for name, change := range parts {
			// To this reader every other value looked otherwise. What it hands back as it was is nothing that it wrote.
			from := record.Record{UserID: want.UserID, Version: want.Version}
			r := at(from, from.Version+1)
			from.MobileNumber, from.Address.FullAddress = "x", "x"
			r.MobileNumber, r.Address.FullAddress = "x", "x"
			change(&r.Attributes)
			require.NoError(t, s.Update(ctx(t), r, from), name)
			change(&want.Attributes)
			want.Version++
			requireRecord(t, s, want)
		}
	},
	"an update that changes no attribute writes the version": func(t *testing.T, s record.Store) {
		require.NoError(t, s.Create(ctx(t), john("31327518"), nil, now))
		require.NoError(t, s.Update(ctx(t), at(john("31327518"), 2), john("31327518")))
		requireRecord(t, s, at(john("31327518"), 2))
		requireOnly(t, s.Update(ctx(t), at(john("31327518"), 2), john("31327518")), record.ErrVersion)
	},
	"every attribute and the version are written": func(t *testing.T, s record.Store) {
		require.NoError(t, s.Create(ctx(t), john("31327518"), nil, now))
		require.NoError(t, s.Create(ctx(t), john("31327519"), nil, now))
		require.NoError(t, s.Update(ctx(t), jane("31327518", 2), john("31327518")))
		requireRecord(t, s, jane("31327518", 2))
		requireRecord(t, s, john("31327519"))
	},
	"the owner stays": func(t *testing.T, s record.Store) {
		require.NoError(t, s.Create(ctx(t), john("31327518"), nil, now))
		for version, owner := range map[int64]string{2: "a thief", 3: ""} {
			stolen := jane("31327518", version)
			stolen.Owner = owner
			current, err := s.Read(ctx(t), "31327518")
			require.NoError(t, err)
			require.NoError(t, s.Update(ctx(t), stolen, current))
			requireRecord(t, s, jane("31327518", version))
		}
	},
	"another version is refused and nothing changes": func(t *testing.T, s record.Store) {
		require.NoError(t, s.Create(ctx(t), john("31327518"), nil, now))
		require.NoError(t, s.Update(ctx(t), jane("31327518", 2), john("31327518")))
		for _, from := range []int64{0, 1, 3} {
			requireOnly(t, s.Update(ctx(t), john("31327518"), jane("31327518", from)), record.ErrVersion)
		}
		requireRecord(t, s, jane("31327518", 2))
	},
	"the same update again has another version": func(t *testing.T, s record.Store) {
		require.NoError(t, s.Create(ctx(t), john("31327518"), nil, now))
		require.NoError(t, s.Update(ctx(t), jane("31327518", 2), john("31327518")))
		requireOnly(t, s.Update(ctx(t), jane("31327518", 2), john("31327518")), record.ErrVersion)
	},
	"a record that is not there is not made": func(t *testing.T, s record.Store) {
		for _, from := range []int64{0, 1} {
			requireOnly(t, s.Update(ctx(t), jane("31327518", from+1), at(john("31327518"), from)), record.ErrNotFound)
		}
		requireNoRecord(t, s, "31327518")
	},
	"version 0 is a version as any": func(t *testing.T, s record.Store) {
		r := john("31327518")
		r.Version = 0
		require.NoError(t, s.Create(ctx(t), r, nil, now))
		requireOnly(t, s.Update(ctx(t), jane("31327518", 2), john("31327518")), record.ErrVersion)
		require.NoError(t, s.Update(ctx(t), jane("31327518", 1), r))
		requireRecord(t, s, jane("31327518", 1))
		requireOnly(t, s.Update(ctx(t), jane("31327518", 1), r), record.ErrVersion)
	},
	"a long history ends with its last write": func(t *testing.T, s record.Store) {
		require.NoError(t, s.Create(ctx(t), john("31327518"), nil, now))
		for version := int64(1); version < 40; version++ {
			require.NoError(t, s.Update(ctx(t), jane("31327518", version+1), at(john("31327518"), version)))
		}
		requireRecord(t, s, jane("31327518", 40))
	},
	"whenever the context ends the record is the old or the new one": func(t *testing.T, s record.Store) {
		endAnywhere(t, func(c context.Context, n int) error {
			id := userID(n)
			require.NoError(t, s.Create(ctx(t), john(id), nil, now))
			err := s.Update(c, jane(id, 2), john(id))
			got, readErr := s.Read(ctx(t), id)
			require.NoError(t, readErr)
			if err == nil {
				require.Equal(t, jane(id, 2), got)
			} else {
				require.Contains(t, []record.Record{john(id), jane(id, 2)}, got)
			}
			return err
		})
	},
}

// verbatim are values that stores like to change: by trimming, normalising, escaping, numbers, or a NULL for "".
var verbatim = map[string]string{
	"nothing":            "",
	"a space":            " ",
	"spaces around":      "  x  ",
	"leading zeros":      "0042",
	"a large number":     "12345678901234567890.10",
	"an exponent":        "1e5",
	"null":               "null",
	"an emoji":           "👩‍👩‍👧‍👦🇦🇺",
	"combining marks":    "Zoe\u0308 e\u0301",
	"the same, composed": "Zo\u00eb \u00e9",
	"right to left":      "שלום العربية",
	"HTML":               `<a href="x">&amp;</a>`,
	"escapes":            `back\slash "quote" \u0041 'x' %s ${x}`,
	"a line separator":   "a\u2028b\u2029c",
	"a replacement":      "a\ufffdb",
	"a control":          "a\x00b\tc\nd\re\x7f",
	"an ID of a table":   "#x :y",
	"long":               strings.Repeat("𝄞", 4000),
}

var values = suite{
	"every value is kept verbatim": func(t *testing.T, s record.Store) {
		n := 0
		for name, v := range verbatim {
			n++
			all := record.Attributes{
				Title: v, FirstName: v, LastName: v, MobileNumber: v,
				Address: record.Address{Postcode: v, Suburb: v, State: v, FullAddress: v},
			}
			created := record.Record{UserID: userID(n), Attributes: all, Owner: "owner", Version: 1}
			require.NoError(t, s.Create(ctx(t), created, nil, now), name)
			requireRecord(t, s, created)
			updated := john(userID(n))
			updated.Owner, updated.Version = "owner", 2
			require.NoError(t, s.Update(ctx(t), updated, created), name)
			again := at(created, 3)
			require.NoError(t, s.Update(ctx(t), again, updated), name)
			requireRecord(t, s, again)
		}
	},
	"an owner is kept verbatim": func(t *testing.T, s record.Store) {
		r := john("00000001")
		r.Owner = "5f2a-Zoe\u0308:<&>\"\\"
		require.NoError(t, s.Create(ctx(t), r, nil, now))
		requireRecord(t, s, r)
	},
	"user IDs with leading zeros are IDs of their own": func(t *testing.T, s record.Store) {
		for _, id := range []string{"00000000", "00000001", "10000000", "99999999"} {
			require.NoError(t, s.Create(ctx(t), john(id), nil, now))
		}
		for _, id := range []string{"00000000", "00000001", "10000000", "99999999"} {
			requireRecord(t, s, john(id))
		}
	},
}
