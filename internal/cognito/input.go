package cognito

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"adsidecar/internal/account"
)

// The limits of Cognito's UsernameType and PasswordType, in code points.
const (
	longestUsername = 128
	longestPassword = 256
)

// checkInput refuses what Cognito's API refuses whatever the pool's policy, so that it costs no call.
func checkInput(username, password string) error {
	if problem := checkUsername(username); problem != "" {
		return &account.InvalidError{Field: "username", Message: problem}
	}
	if problem := checkPassword(password); problem != "" {
		return &account.InvalidError{Field: "password", Message: problem}
	}
	return nil
}

// checkUsername follows UsernameType's pattern, [\p{L}\p{M}\p{S}\p{N}\p{P}]+.
func checkUsername(s string) string {
	switch n := utf8.RuneCountInString(s); {
	case n == 0:
		return "must not be empty"
	case n > longestUsername:
		return "must not have more than 128 characters"
	case !utf8.ValidString(s):
		return "must be UTF-8"
	}
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.In(r, unicode.L, unicode.M, unicode.S, unicode.N, unicode.P) }) {
		return "must have letters, digits, symbols and punctuation only, no spaces"
	}
	return ""
}

// checkPassword follows the documented rule for spaces (they may be inside, not at the ends); the pattern [\S]+ is not anchored.
func checkPassword(s string) string {
	switch n := utf8.RuneCountInString(s); {
	case n == 0:
		return "must not be empty"
	case n > longestPassword:
		return "must not have more than 256 characters"
	case !utf8.ValidString(s): // JSON would make all broken characters the same one
		return "must be UTF-8"
	case strings.TrimSpace(s) != s:
		return "must not begin or end with a space"
	}
	return ""
}
