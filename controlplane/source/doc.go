// Package source reads the campaign document from where operators keep it: an HTTP server, an S3 bucket or a file.
//
// A source answers one question, "what is the document now?", and judges nothing of its content. Poll returns the whole
// document, or campaign.ErrNotModified when it is, byte for byte, the one that Poll returned last. The comparison is
// always with the last document handed to the caller, good or not, and never with one that the caller has not seen:
// so "not modified" means that the caller's own verdict on that document still holds, and a caller that found it
// unusable must keep saying so. After a restart, Resume makes a document that an earlier process accepted the last one.
//
// Everything read is bounded in size and, over the network, in time. Errors and Describe name the source without its secrets:
// no query, no header value.
package source
