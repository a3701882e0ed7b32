// Package plugin connects the ad decision to Envoy through Proxy-Wasm. It owns the contexts, the loading of the index, the
// cursors, the replies and the metrics; what a request means is adsidecar/filter/adrequest's, which ads a key has now is
// adsidecar/filter/adindex's, and how Envoy is spoken to is adsidecar/filter/abi's.
//
// How Envoy runs it:
//
//   - There is one VM on each worker thread and nothing runs in parallel in it, so nothing here locks.
//   - A pushed index is a new plugin context in the same VM. The context before it lives on until its requests have ended.
//   - Each new configuration is first tried in a VM of its own on the main thread, which is destroyed after Configure.
//     So nothing that players or operators see may happen in Configure.
//   - The main thread keeps a VM too. It loads as the workers' do, at the same time, and serves nobody; so
//     the gauges tell of an index once a request was served from it, not once it was loaded.
//   - An unrecovered panic destroys the VM, and every request in it is answered 503. So every callback that can fail recovers.
//   - All memory is the VM's, which never shrinks: one copy of the index, and no garbage for a request.
//   - Envoy compiles all code of the module before it serves, so the code here and below does without package fmt and the like.
package plugin
