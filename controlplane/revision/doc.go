// Package revision keeps what operators say of campaigns, with its whole history.
//
// A [Row] is what they say of one campaign: all of it, or only that a campaign of the source is paused. A [Revision] is a set of changes
// to rows that became visible at once, by one person. Revisions are numbered 1, 2, 3, …; they are never changed and never removed: one is
// undone by another. [Action]s, by which operators decide what is published, are kept in the same way. A [Service] has the present
// rows in memory and follows the revisions that other replicas make.
//
// # How it is stored
//
// A [Store] keeps values by key and changes a few of them at once, under conditions. It knows nothing of revisions, so there is one
// implementation of all below for every technology.
//
//	head            the number of the newest revision
//	revision/N      who, when, why, and its changes, or where they are
//	chunk/B/I       part I of batch B, compressed: the changes of a large revision, the rows of a snapshot, or a published index
//	snapshot        where all rows are as they were at a revision
//	pending         the batches that may be removed
//	pin             which published version is held
//	decision        what was said last of a version that a guard held back
//	actions         the number of the newest action
//	action/N        one change of pin or decision: what, who, when, why
//	published       what a replica told last of what it publishes
//	store           what tells this store from others: random, written before anything else
//	versions        the published versions that are kept, and where their indexes are
//
// The changes of a large revision are written first, as a batch under a random name. Then one commit makes revision/N, moves head from
// N−1 to N and takes the batch off the pending ones. So a reader sees all of a revision or nothing, whenever its writer dies. The batch
// does not depend on N: what others write meanwhile goes ahead, and only a change of the same rows makes it be written again.
//
// A batch is put on the list of pending ones before its first chunk is written. One that stays there for an hour belongs to a writer that
// died. It is first marked as abandoned, after which no commit can use it any more, and then removed. A writer that was slower than that
// fails, and may leave a few chunks behind that nothing refers to. A snapshot that a newer one has replaced, and the index of a version that
// is not kept any more, are removed after five minutes: a reader that is slower begins again with the newer snapshot, or is told that the
// version is gone. Who has replaced them does that; every replica looks once an hour for what one that died has left.
//
// Whoever pins a version writes versions again in the same commit, so that no other takes that version off the list meanwhile.
// Pin and decision tell only how it is now; each commit of one of them makes action/N and moves actions to N as well, so that what
// was said stays known.
//
// # How a new replica begins
//
// It reads the snapshot and the revisions since. A replica that writes makes a snapshot as soon as the revisions since the last one have
// as many changes as there are rows (but 10,000 at least), or are 500. So a start reads at most about twice the rows, and writing
// snapshots costs about as much as writing changes. The alternative, a table of present rows beside the log, is cheaper to read and
// cannot be changed at once for a large revision.
package revision
