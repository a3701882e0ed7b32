// Package client is the typed client of the control plane's HTTP API, whose bodies are those of controlplane/apiv1.
//
// A call ends with its context, after [Config.Timeout], or, for a document that is streamed, after [Config.Silence] without a byte. Reads
// are tried again where that may help; a change is sent once, as the server may have made it although its answer was lost. Answers are
// bounded, redirects are not followed, and what the server refuses is an [*Error].
//
// With [Config.Transport] the requests go there in place of a network.
//
// The token goes into the Authorization header and nowhere else: errors do not have it, not even where a server sends it back.
package client
