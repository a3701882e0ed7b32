package strictfake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// shortestPassword is what Cognito asks for whatever the policy.
	shortestPassword = 6
	// mostWrong is how many wrong passwords in a row lock a user out.
	mostWrong = 5
)

var (
	usernamePattern = regexp.MustCompile(`^[\p{L}\p{M}\p{S}\p{N}\p{P}]+$`)
	digit           = regexp.MustCompile(`[0-9]`)
)

func invalid(format string, args ...any) error {
	return &Error{Type: "InvalidParameterException", Message: fmt.Sprintf(format, args...)}
}

func notAuthorized(format string, args ...any) error {
	return &Error{Type: "NotAuthorizedException", Message: fmt.Sprintf(format, args...)}
}

func (s *Server) pool(id string) error {
	if id != s.config.PoolID {
		return &Error{Type: "ResourceNotFoundException", Message: "User pool " + id + " does not exist."}
	}
	return nil
}

func (s *Server) appClient(id string) (*Client, error) {
	i := slices.IndexFunc(s.config.Clients, func(c Client) bool { return c.ID == id })
	if i < 0 {
		return nil, &Error{Type: "ResourceNotFoundException", Message: "User pool client " + id + " does not exist."}
	}
	return &s.config.Clients[i], nil
}

// checkHash is the rule of SECRET_HASH: base64(HMAC-SHA256(secret, username + client ID)), and none for a client without a secret.
func (c *Client) checkHash(username, hash string) error {
	switch {
	case c.Secret == "" && hash == "":
		return nil
	case hash == "":
		return notAuthorized("Client %s is configured with secret but SECRET_HASH was not received", c.ID)
	}
	mac := hmac.New(sha256.New, []byte(c.Secret))
	mac.Write([]byte(username + c.ID))
	got, err := base64.StdEncoding.DecodeString(hash)
	if err != nil || c.Secret == "" || !hmac.Equal(got, mac.Sum(nil)) {
		return notAuthorized("Unable to verify secret hash for client %s", c.ID)
	}
	return nil
}

type initiateAuthInput struct {
	UserPoolID     string `json:"UserPoolId"`
	ClientID       string `json:"ClientId"`
	AuthFlow       string
	AuthParameters map[string]string
}

func (s *Server) adminInitiateAuth(in initiateAuthInput) (any, error) {
	if err := s.pool(in.UserPoolID); err != nil {
		return nil, err
	}
	if in.AuthFlow != "ADMIN_USER_PASSWORD_AUTH" && in.AuthFlow != "ADMIN_NO_SRP_AUTH" {
		return nil, invalid("Initiate Auth method not supported.")
	}
	c, err := s.appClient(in.ClientID)
	if err != nil {
		return nil, err
	}
	if c.NoAdminPassword {
		return nil, invalid("Auth flow not enabled for this client")
	}
	return s.signIn(c, in.AuthParameters)
}

// initiateAuth is what games call themselves; no administrator's right is asked for.
func (s *Server) initiateAuth(in initiateAuthInput) (any, error) {
	if in.AuthFlow != "USER_PASSWORD_AUTH" {
		return nil, invalid("Initiate Auth method not supported.")
	}
	c, err := s.appClient(in.ClientID)
	if err != nil {
		return nil, err
	}
	return s.signIn(c, in.AuthParameters)
}

func (s *Server) signIn(c *Client, parameters map[string]string) (any, error) {
	name, password := parameters["USERNAME"], parameters["PASSWORD"]
	if name == "" || password == "" {
		return nil, invalid("Missing required parameter USERNAME or PASSWORD")
	}
	if err := c.checkHash(name, parameters["SECRET_HASH"]); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.users[name]
	wrong := notAuthorized("Incorrect username or password.")
	switch {
	case !ok && c.HideUsers:
		return nil, wrong
	case !ok:
		return nil, &Error{Type: "UserNotFoundException", Message: "User does not exist."}
	case u.wrong >= mostWrong:
		return nil, notAuthorized("Password attempts exceeded")
	case u.Disabled:
		return nil, notAuthorized("User is disabled.")
	case u.ResetRequired:
		return nil, &Error{Type: "PasswordResetRequiredException", Message: "Password reset required for the user"}
	case !u.Confirmed && (s.config.UnconfirmedFirst || u.Password == password):
		return nil, &Error{Type: "UserNotConfirmedException", Message: "User is not confirmed."}
	case u.Password != password:
		u.wrong++
		return nil, wrong
	}
	u.wrong = 0
	if u.Challenge != "" {
		return map[string]any{"ChallengeName": u.Challenge, "ChallengeParameters": map[string]string{"USER_ID_FOR_SRP": name}, "Session": uuid()}, nil
	}
	return s.tokens(c, name, u)
}

type signUpInput struct {
	ClientID   string `json:"ClientId"`
	Username   string
	Password   string
	SecretHash string
}

func (s *Server) signUp(in signUpInput) (any, error) {
	if n := utf8.RuneCountInString(in.Password); n < shortestPassword || n > 256 {
		return nil, invalid("1 validation error detected: Value at 'password' failed to satisfy constraint: " +
			"Member must have length greater than or equal to 6")
	}
	if in.Password != strings.TrimSpace(in.Password) {
		return nil, invalid("1 validation error detected: Value at 'password' failed to satisfy constraint: " +
			`Member must satisfy regular expression pattern: ^[\S]+.*[\S]+$`)
	}
	if !usernamePattern.MatchString(in.Username) || utf8.RuneCountInString(in.Username) > 128 {
		return nil, invalid("1 validation error detected: Value at 'username' failed to satisfy constraint: " +
			`Member must satisfy regular expression pattern: [\p{L}\p{M}\p{S}\p{N}\p{P}]+`)
	}
	c, err := s.appClient(in.ClientID)
	if err != nil {
		return nil, err
	}
	if err := c.checkHash(in.Username, in.SecretHash); err != nil {
		return nil, err
	}
	if s.config.NoSignUp {
		return nil, notAuthorized("SignUp is not permitted for this user pool")
	}
	if s.config.UsernameIsEmail && !strings.Contains(in.Username, "@") {
		return nil, invalid("Username should be an email.")
	}
	if err := s.policy(in.Password); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.users[in.Username]; ok {
		return nil, &Error{Type: "UsernameExistsException", Message: "User already exists"}
	}
	u := &User{Password: in.Password, Confirmed: s.config.ConfirmAtSignUp, Sub: uuid()}
	s.users[in.Username] = u
	return map[string]any{"UserConfirmed": u.Confirmed, "UserSub": u.Sub}, nil
}

func (s *Server) policy(password string) error {
	missing := ""
	switch {
	case utf8.RuneCountInString(password) < s.config.MinimumPassword:
		missing = "Password not long enough"
	case s.config.RequireNumber && !digit.MatchString(password):
		missing = "Password must have numeric characters"
	default:
		return nil
	}
	return &Error{Type: "InvalidPasswordException", Message: "Password did not conform with policy: " + missing}
}

type adminConfirmSignUpInput struct {
	UserPoolID string `json:"UserPoolId"`
	Username   string
}

func (s *Server) adminConfirmSignUp(in adminConfirmSignUpInput) (any, error) {
	if err := s.pool(in.UserPoolID); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.users[in.Username]
	if !ok {
		return nil, &Error{Type: "UserNotFoundException", Message: "User does not exist."}
	}
	if u.Confirmed {
		return nil, notAuthorized("User cannot be confirmed. Current status is CONFIRMED")
	}
	u.Confirmed = true
	return struct{}{}, nil
}

type describeUserPoolClientInput struct {
	UserPoolID string `json:"UserPoolId"`
	ClientID   string `json:"ClientId"`
}

func (s *Server) describeUserPoolClient(in describeUserPoolClientInput) (any, error) {
	if err := s.pool(in.UserPoolID); err != nil {
		return nil, err
	}
	c, err := s.appClient(in.ClientID)
	if err != nil {
		return nil, err
	}
	flows := []string{"ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_PASSWORD_AUTH"}
	if !c.NoAdminPassword {
		flows = append(flows, "ALLOW_ADMIN_USER_PASSWORD_AUTH")
	}
	hide := "LEGACY"
	if c.HideUsers {
		hide = "ENABLED"
	}
	answer := map[string]any{
		"UserPoolId": s.config.PoolID, "ClientId": c.ID, "ClientName": c.ID, "ExplicitAuthFlows": flows, "PreventUserExistenceErrors": hide,
	}
	if c.Secret != "" {
		answer["ClientSecret"] = c.Secret
	}
	return map[string]any{"UserPoolClient": answer}, nil
}
