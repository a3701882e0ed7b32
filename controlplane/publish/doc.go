// Package publish keeps the published index at what the campaign source says.
//
// A Loop polls the source, decodes and compiles the document, and hands the index to the sink when its version, the hash
// of its content, has changed. Whatever goes wrong, the last good index stays published: a failed poll, a document that
// cannot be used and an index over its limit are counted, logged when they begin and end, and told by Status, and
// nothing else. A document whose ads array is empty is a good one and empties the index.
//
// "Not modified" repeats the verdict on the document that it refers to: a source that keeps answering 304 to a broken
// document stays unusable.
//
// # Last good document
//
// The last document whose index the sink accepted is kept in Config.StateDir and published at once after a restart,
// before the first poll is answered. Beside it is kept the last one before it whose index a proxy has loaded (a file of one
// line tells which that is, also after a restart): it takes its place if proxies refuse the index after it was written,
// because a restart must not begin with that, and is published at once if proxies are given nothing. Where there is none,
// the refused one is removed. A version that the sink holds back is offered again after each poll. A file that is damaged is reported and ignored. So is the document of another
// source: an operator who changes the source has said that the old document is not to be served, and a document of a
// test system served in production, or a withdrawn ad served again, does more harm than a new proxy without ads;
// connected proxies keep the index that they have anyway. The file is replaced only by a good document of the new
// source, so pointing back brings the old one back. Sources say themselves what identifies them (see Resumer).
//
// # Operators
//
// With Config.Operators, what operators say of campaigns is laid over each document (see campaign.Overlay) before it is compiled, and a
// change of theirs is compiled and published at once, from the decoded document that is kept for that: neither the source nor a poll under
// way is waited for. Changes in a burst are gathered for 100 ms. Rows that make no index leave the last good one published, and are
// tried again with the next rows; so is a document that only these rows keep from being compiled.
//
// Before it is known what operators say nothing is compiled: what they paused must not come back with a restart. Connected proxies keep what
// they have. If the store has not answered after 10 s, the index that was published last, which is kept beside the document, is
// published to proxies that would get nothing otherwise; it may lack what was said at another replica in between. Beside it lies the one
// before that proxies have loaded, for when they refuse it.
//
// Each published version is kept in the store, and the newest on disk, in the background: a store that is slow or down delays no publish.
// Of several that wait, the newest is kept. One that was not kept when the program died is kept when the next one publishes it.
//
// A pin has that version published, and nothing else, until it is taken off: also after a restart. Polls and changes go on, and Status tells
// what waits. A pinned version whose bytes cannot be read, or are others, leaves what is published; it is tried again after each poll.
//
// # Guard
//
// A candidate that removes a larger share of the ads than Config.MaxRemovedShare is held: what is published stays until the candidate is
// confirmed, or another takes its place. Indexes are compared, whatever made them differ: of the ads that the one before can still serve,
// those count as removed that the candidate never serves from now on. The one before is what proxies are given: also after they refused a
// version or a pin was taken off, and after a start what was published last, whose index is on disk. While it is held then, that index
// is published as it was. A candidate is held as well, whatever it removes, if its revision of the operators is older than one of which
// something was published, or their store is another one than before, or knows less of pins, decisions and what replicas publish: then it was
// emptied or put back, and what they did would vanish. It is so until a candidate is confirmed, or that store is back, also after a restart:
// how far the store was known is kept beside the index.
//
// A pin is never held. What was held before a pin is held again after it. What an operator decides is kept in the store: every replica
// follows it, and a process that is started later. It counts for one version in the place of another, and once.
//
// Replicas tell each other in the store what they publish, and which decision is spent by that. A version that another one has published
// since this one published last has passed the guard there and is not held here: so replicas come to the same version, also where one has
// missed a decision. One that starts, and has nothing on disk or something older, compares the first candidate with what the others publish,
// and publishes that while the candidate is held; without an answer in 30 s it goes by what it has.
//
// # Day
//
// An index with flights or time zones is for its UTC day, and serves some days more. Run looks at the wall clock once a minute, whatever
// the source does, and compiles the document of the candidate again where the day is another one, later or earlier: a clock that was wrong
// leaves nothing. What was held stays held, also if the clock is so far ahead that all flights of what is published seem over. A document
// that cannot be compiled is tried again each day.
//
// # Pace
//
// The next poll follows after Config.Interval, at once if the source reports a change or PollNow is called (bursts are
// gathered for 100 ms), and after a backoff if the source failed: Interval, doubled with each failure up to four
// intervals, but to no more than a minute or one interval, whichever is longer. A source that never answered since the
// start is asked faster at first, from half a second on, because control plane and source often start together. All
// waits vary by 10 % either way, so that replicas do not poll in step. A document that cannot be used is no failure of
// the source: its correction is seen after one interval.
package publish
