package admin

import (
	_ "embed"
	"html/template"
	"net/http"

	"go.uber.org/zap"
)

//go:embed signin.html
var signInText string

var signInPage = template.Must(template.New("sign-in").Parse(signInText))

// failures say to people what the codes of a sign-in mean that failed. The codes are those of controlplane/access.
var failures = map[string]string{
	"sign_in_refused": "That is not right. Look at the name and password, or the token, again.",
	"unauthorized":    "That is not right. Look at the name and password, or the token, again.",
	"not_a_member":    "You are known, but may not come in here. Ask for membership of one of the groups.",
	"forbidden":       "You are known, but may not come in here. Ask for membership of one of the groups.",
	"name_refused": "This account's name cannot be used here: somebody else is called so who has no account, or it is too long. " +
		"Ask the user pool's administrator for another one.",
	"challenge_required": "This account has to choose a new password first, or needs a second factor, which cannot be done here. " +
		"Ask the user pool's administrator for a permanent password, or sign in with a token.",
	"invalid_body":          "Enter a name and a password, or a token.",
	"invalid_field":         "The name or the password is none that an account can have.",
	"no_passwords":          "There are no accounts with passwords here. Sign in with a token.",
	"no_credentials":        "Nobody needs to sign in here. Open the console.",
	"too_many_failures":     "Too many attempts failed. Wait a while, or sign in with a token.",
	"too_many_requests":     "Too many people sign in right now. Try again in a minute.",
	"user_pool_unavailable": "Accounts cannot be checked right now. Try again in a while.",
}

// tokenFailures are said in the place of failures where only tokens are taken.
var tokenFailures = map[string]string{
	"sign_in_refused": "That is not right. Look at the token again.",
	"unauthorized":    "That is not right. Look at the token again.",
	"invalid_body":    "Enter a token.",
}

// signIn shows the page. What is not known of the query is left out; the path to go to is checked by who follows it.
func (c Config) signIn(w http.ResponseWriter, r *http.Request) {
	code := r.URL.Query().Get("error")
	text, known := failures[code]
	if said, ok := tokenFailures[code]; ok && !c.Passwords {
		text = said
	}
	if code != "" && !known {
		text = "Signing in did not work. Try again in a while."
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	err := signInPage.Execute(w, struct {
		Next, Failure string
		Passwords     bool
	}{r.URL.Query().Get("next"), text, c.Passwords})
	if err != nil {
		c.Logger.Debug("sign-in page", zap.Error(err)) // the client is gone
	}
}
