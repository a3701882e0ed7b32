// Package contract holds the running gateway against its own OpenAPI document: schemathesis makes requests out of the document, those that
// it allows and those that it does not, sends them through Envoy, and judges each answer by it. Examples, the edges of every schema,
// random requests, and requests that use what earlier ones made: each operation gets all of them.
//
// The seed is fixed, so that a failure comes again. What may fail is listed in allow.yaml, each entry with its reason; an entry that no
// failure needs fails the test as well. There is nothing in here but tests.
package contract
