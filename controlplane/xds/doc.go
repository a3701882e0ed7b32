// Package xds serves listeners, clusters and the campaign index to Envoys over one delta ADS stream each, and judges every
// version by what the Envoys answer.
//
// The three resource types (LDS, CDS and ECDS, which carries the index) are handed out, answered and judged apart, by the same code:
//
//   - An offer is one version of one type: its resources, marshalled once and shared by all streams.
//   - A session is one stream of one Envoy: what it subscribed to, was sent, acknowledged and rejected.
//   - A verdict decides, per type, which offer is handed out.
//
// The verdict on a version that an Envoy rejects (NACK):
//
//   - If any Envoy has acknowledged it, it stays; the rejecting Envoy is shown out of sync with its text.
//   - If none has, it is suspect. One acknowledgement lifts the suspicion; so does an Envoy that connects and says that it holds the
//     version, because it runs it.
//   - A suspect version is rolled back when Config.VerdictGrace has passed since the first rejection. It is rolled back at once if
//     nothing else can be learned: there is an acknowledged version to go back to, every connected Envoy that subscribed has
//     rejected the suspect one, and none that was sent it has gone without an answer since then.
//   - A rollback hands the last acknowledged version out again. If there is none, it hands out the version before, if that was
//     replaced while nothing spoke against it: after a restart the source may be faster than the Envoys that come back. Without
//     that too the index falls silent: nothing is sent. Listeners and clusters then stay on offer, and are not quarantined: an Envoy
//     that is mended gets them, and so does one that never was broken.
//   - The rolled back version is quarantined: it is refused with ErrQuarantined, also when other versions were published in between,
//     so that a source that flips between a good and a bad document costs one rejection and no more. Quarantine ends with RetryAll,
//     and when an Envoy acknowledges the version after all or connects with it. The last 64 quarantined versions are remembered, in
//     memory: after a restart each is judged anew.
//   - A rejection counts against the version that was sent with the nonce it names; one with an unknown nonce is shown, and judges nothing.
//
// A type with nothing on offer is silent: requests wait, and an index that an Envoy holds from an earlier control plane is never
// removed. So a control plane that restarts without an index leaves every connected Envoy serving. Nothing is sent to an Envoy that
// holds the version on offer, on the same stream or, by its initial_resource_versions, on a new one.
//
// Each replica of the control plane judges by the Envoys that are connected to it. State-of-the-world streams are refused: on that
// protocol a rejected version would be sent again in a loop.
package xds
