// Package console is the control plane's pages for people: what is served, where and why, and the forms that change it.
//
// It is a client of the HTTP API and has no state: each page asks the API in this process by controlplane/client, as the one who asked for
// the page, and each form becomes one write to it and a redirect. A document that is imported is passed on as it arrives. Pages are whole
// without a script. The script adds what is nice to have: errors as one types, how far an import is, forms that keep what was typed whatever
// becomes of sending them, and pages that follow the served state by asking for themselves again when the API's events say so; what is shown
// has one renderer, the templates.
//
// Who may see a page and change something is decided in front of it, by controlplane/access, whose identity the request's context has.
// Nothing in a page needs more than the content policy `default-src 'self'`: no inline script, style or event handler.
package console
