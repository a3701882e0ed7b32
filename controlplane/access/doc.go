// Package access decides who may use the control plane's admin address, and says who did.
//
// Without credentials everybody who reaches the address is an operator, and so the address is on loopback: [New] refuses any other, and
// a request that a proxy says it passed on is refused. A proxy that says nothing cannot be noticed.
// With them a request brings a bearer token, of a file or of a Cognito user pool, or the cookie of a session that was opened with one,
// or with a user's password. A request with an Authorization header is judged by that alone.
//
// Whatever the credentials, a request passes in this order:
//
//	headers        of every answer: what a browser may do with it (CSP and others)
//	Host           is our name, localhost, or the IP address that the connection came in on; else 421. A page of another site whose
//	               name was made to lead here (DNS rebinding) has that name as Host
//	cross-origin   a write that a browser makes for a page of another origin, and a read that is neither public nor a link: 403
//	public         what the caller says answers without credentials
//	session        signing in and out, and who is signed in
//	role           GET and HEAD take a viewer, all else an operator; 401 without credentials, 403 with those of another. The request's
//	               context ends with what it came with: signing out, the session's or the token's end, a token that is withdrawn
//	audit          a line of the log for each write, whatever came of it
//
// Failed sign-ins are limited by where they come from and whom they name: 12 of one name at once, and 90 a day, whoever tries. One stranger
// locks out nobody else, from a network of IPv4 and one of IPv6 together neither; many together may keep a name from signing in with its
// password (see kind). A token that is right always passes, and a session notices nothing.
//
// Sessions are in memory, so that a restart signs everybody out, and a browser talks to one replica. A session of a file's token ends
// with the token, and has its present role; one of the user pool lasts its 8 hours whatever becomes of the user. No token, password or
// cookie is ever in the log or in an answer other than the cookie itself.
package access
