package strictfake

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

const (
	contentType  = "application/x-amz-json-1.1"
	targetPrefix = "AWSCognitoIdentityProviderService."
	largestBody  = 128 << 10
)

// Error implements error, so that operations return it.
func (e *Error) Error() string { return e.Type + ": " + e.Message }

type operation struct {
	do func(s *Server, body []byte) (any, error)
	// admin operations are signed.
	admin bool
}

var operations = map[string]operation{
	"AdminInitiateAuth":      {do: decoded((*Server).adminInitiateAuth), admin: true},
	"InitiateAuth":           {do: decoded((*Server).initiateAuth)},
	"SignUp":                 {do: decoded((*Server).signUp)},
	"AdminConfirmSignUp":     {do: decoded((*Server).adminConfirmSignUp), admin: true},
	"DescribeUserPoolClient": {do: decoded((*Server).describeUserPoolClient), admin: true},
}

// decoded is an operation that reads its input from JSON.
func decoded[In any](do func(*Server, In) (any, error)) func(*Server, []byte) (any, error) {
	return func(s *Server, body []byte) (any, error) {
		var in In
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, &Error{Type: "SerializationException"}
		}
		return do(s, in)
	}
}

func (s *Server) call(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), targetPrefix)
	op, known := operations[name]
	if !ok || !known || r.Header.Get("Content-Type") != contentType {
		writeError(w, &Error{Type: "UnknownOperationException"})
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, largestBody))
	if err != nil {
		writeError(w, &Error{Status: http.StatusRequestEntityTooLarge, Type: "RequestEntityTooLargeException"})
		return
	}
	fault := s.begin(name)
	if s.config.Hold != nil {
		s.config.Hold(name)
	}
	if !fault.After && s.strike(w, r, fault) {
		return
	}
	var answer any
	if op.admin {
		err = s.signed(r.Header.Get("Authorization"))
	}
	if err == nil {
		answer, err = op.do(s, body)
	}
	if s.config.Answered != nil {
		s.config.Answered(name)
	}
	if fault.After && s.strike(w, r, fault) {
		return
	}
	write(w, fault.Body, answer, err)
}

func write(w http.ResponseWriter, instead string, answer any, err error) {
	if instead != "" {
		writeJSON(w, http.StatusOK, []byte(instead))
		return
	}
	if err != nil {
		refusal, ok := err.(*Error) //nolint:errorlint // operations return nothing else, unwrapped
		if !ok {
			refusal = Internal
		}
		writeError(w, refusal)
		return
	}
	data, err := json.Marshal(answer)
	if err != nil {
		writeError(w, Internal)
		return
	}
	writeJSON(w, http.StatusOK, data)
}

func writeError(w http.ResponseWriter, e *Error) {
	status := e.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	w.Header().Set("X-Amzn-Errortype", e.Type+":") // with the colon that AWS puts before a URI, and leaves there without one
	if e.Message != "" {
		w.Header().Set("X-Amzn-Errormessage", e.Message)
	}
	body, err := json.Marshal(map[string]string{"__type": e.Type, "message": e.Message})
	if err != nil { // strings are always JSON
		body = nil
	}
	writeJSON(w, status, body)
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Amzn-Requestid", uuid())
	w.WriteHeader(status)
	w.Write(body)
}

var credential = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([^/,]+)/[0-9]{8}/([^/,]+)/cognito-idp/aws4_request, SignedHeaders=[^,]+, Signature=[0-9a-f]{64}$`)

// signed checks the form of the signature, its region and its access key.
func (s *Server) signed(authorization string) error {
	if authorization == "" {
		return &Error{Type: "MissingAuthenticationTokenException", Message: "Missing Authentication Token"}
	}
	found := credential.FindStringSubmatch(authorization)
	region, _, _ := strings.Cut(s.config.PoolID, "_")
	if found == nil || found[2] != region {
		return &Error{Type: "InvalidSignatureException", Message: "Credential should be scoped to a valid region."}
	}
	if len(s.config.AccessKeys) > 0 && !slices.Contains(s.config.AccessKeys, found[1]) {
		return &Error{Type: "UnrecognizedClientException", Message: "The security token included in the request is invalid."}
	}
	return nil
}

// uuid is a random one (version 4).
func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return fmt.Sprintf("%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:])
}
