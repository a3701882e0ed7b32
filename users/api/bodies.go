package api

import "adsidecar/users/record"

// Bodies of requests. Pointers tell what is not there from what is empty.

type signInRequest struct {
	Username *string `json:"username"`
	Password *string `json:"password"`
}

func (b *signInRequest) check() error {
	return required(text{"username", b.Username}, text{"password", b.Password})
}

// createRequest has the members of a change, and must have them all.
type createRequest struct{ record.Change }

func (b *createRequest) attributes() (record.Attributes, error) {
	members := []text{{"title", b.Title}, {"firstName", b.FirstName}, {"lastName", b.LastName}, {"mobileNumber", b.MobileNumber}}
	if a := b.Address; a == nil {
		members = append(members, text{"address", nil})
	} else {
		members = append(members, text{"address.postcode", a.Postcode}, text{"address.suburb", a.Suburb},
			text{"address.state", a.State}, text{"address.fullAddress", a.FullAddress})
	}
	if err := required(members...); err != nil {
		return record.Attributes{}, err
	}
	return record.Attributes{
		Title:        *b.Title,
		FirstName:    *b.FirstName,
		LastName:     *b.LastName,
		MobileNumber: *b.MobileNumber,
		Address: record.Address{
			Postcode:    *b.Address.Postcode,
			Suburb:      *b.Address.Suburb,
			State:       *b.Address.State,
			FullAddress: *b.Address.FullAddress,
		},
	}, nil
}

type updateRequest struct {
	UserID *string `json:"userId"`
	record.Change
}

// Bodies of answers.

// signInAnswer has texts where one expects a boolean, as clients do.
type signInAnswer struct {
	Status  string `json:"status"`
	IDToken string `json:"id_token"`
	UserID  string `json:"user_id"`
	IsNew   string `json:"is_new"`
}

type createAnswer struct {
	UserID  string `json:"userId"`
	Message string `json:"message"`
}

type readAnswer struct {
	UserID string `json:"userId"`
	record.Attributes
}
