package api

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"adsidecar/internal/account"
	"adsidecar/internal/token"
	"adsidecar/users/record"
)

func (s *service) authenticate(c *call) (answer, error) {
	body, err := c.readBody()
	if err != nil {
		return answer{}, err
	}
	var in signInRequest
	if err := decode(body, &in); err != nil {
		return answer{}, err
	}
	if err := in.check(); err != nil {
		return answer{}, err
	}
	session, err := s.Accounts.SignIn(c.Context(), *in.Username, *in.Password)
	if err != nil {
		return answer{}, blame(err, account.ErrUnavailable)
	}
	return answer{status: http.StatusOK, body: signInAnswer{
		Status:  "success",
		IDToken: session.IDToken,
		UserID:  session.UserID,
		IsNew:   strconv.FormatBool(session.New),
	}}, nil
}

func (s *service) create(c *call) (answer, error) {
	caller, err := s.caller(c)
	if err != nil {
		return answer{}, err
	}
	key, err := idempotencyKey(c.Header)
	if err != nil {
		return answer{}, err
	}
	body, err := c.readBody()
	if err != nil {
		return answer{}, err
	}
	var in createRequest
	if err := decode(body, &in); err != nil {
		return answer{}, err
	}
	attributes, err := in.attributes()
	if err != nil {
		return answer{}, err
	}
	r, err := s.Records.Create(c.Context(), caller, attributes, key)
	if err != nil {
		return answer{}, blame(err, record.ErrUnavailable)
	}
	return answer{
		status: http.StatusCreated,
		// Relative, so that it holds below every stage prefix of the gateway.
		header: map[string]string{"Location": "read?userId=" + r.UserID, "ETag": etag(r.Version)},
		body: createAnswer{
			UserID:  r.UserID,
			Message: r.Added(),
		},
	}, nil
}

func (s *service) read(c *call) (answer, error) {
	caller, err := s.caller(c)
	if err != nil {
		return answer{}, err
	}
	if c.userID, err = userIDOf(c.URL.RawQuery); err != nil {
		return answer{}, err
	}
	r, err := s.Records.Read(c.Context(), caller, c.userID)
	if err != nil {
		return answer{}, blame(err, record.ErrUnavailable)
	}
	return answer{
		status: http.StatusOK,
		header: map[string]string{"ETag": etag(r.Version)},
		body:   readAnswer{UserID: r.UserID, Attributes: r.Attributes},
	}, nil
}

func (s *service) update(c *call) (answer, error) {
	caller, err := s.caller(c)
	if err != nil {
		return answer{}, err
	}
	match, err := ifMatch(c.Header.Values("If-Match"))
	if err != nil {
		return answer{}, err
	}
	body, err := c.readBody()
	if err != nil {
		return answer{}, err
	}
	var in updateRequest
	if err := decode(body, &in); err != nil {
		return answer{}, err
	}
	if err := required(text{"userId", in.UserID}); err != nil {
		return answer{}, err
	}
	c.userID = *in.UserID
	r, err := s.Records.Update(c.Context(), caller, c.userID, in.Change, match)
	if err != nil {
		return answer{}, blame(err, record.ErrUnavailable)
	}
	return answer{status: http.StatusOK, header: map[string]string{"ETag": etag(r.Version)}, body: r.Attributes}, nil
}

// caller verifies the request's token.
func (s *service) caller(c *call) (record.Caller, error) {
	// Which of two tokens another reader takes is not known here.
	authorization := c.Header.Values("Authorization")
	if len(authorization) != 1 {
		return record.Caller{}, token.ErrUnauthorized
	}
	claims, err := s.Tokens.Verify(c.Context(), authorization[0])
	if err != nil {
		return record.Caller{}, blame(err, token.ErrUnavailable)
	}
	operator := s.OperatorsGroup != "" && slices.Contains(claims.Groups, s.OperatorsGroup)
	return record.Caller{Subject: claims.Subject, Operator: operator}, nil
}

// idempotencyKey is the header's value, or "" without one. A header that is there and empty is a mistake, and no request without a key.
func idempotencyKey(h http.Header) (string, error) {
	const name = "Idempotency-Key"
	switch values := h.Values(name); {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", invalidField(name, name+" is there more than once.")
	case values[0] == "":
		return "", invalidField(name, name+" is empty.")
	default:
		return values[0], nil
	}
}

// userIDOf is the one parameter of a query.
func userIDOf(rawQuery string) (string, error) {
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return "", newProblem(http.StatusBadRequest, "bad_request", "The query is malformed.", nil)
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if name != "userId" {
			shown := shorten(name)
			return "", invalidField(shown, "The parameter "+shown+" is not known here.")
		}
	}
	switch ids := query["userId"]; len(ids) {
	case 1:
		return ids[0], nil
	case 0:
		return "", invalidField("userId", "The parameter userId is missing.")
	default:
		return "", invalidField("userId", "The parameter userId is there more than once.")
	}
}
