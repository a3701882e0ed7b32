// Package browser drives a real Chromium by the W3C WebDriver protocol, over plain HTTP, as a person would: it opens pages, types,
// presses keys, and takes pictures.
//
// It needs Debian's packages chromium and chromium-driver, or others that give the same two programs; tools/browser.sh says what is there
// and installs them. [Find] says what is missing. A Browser is for one goroutine.
package browser
