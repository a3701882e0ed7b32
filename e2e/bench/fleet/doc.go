// Package fleet owns simulated Envoys: as many as a process has file descriptors for, each with a connection and a delta ADS stream of its
// own to a control plane.
//
// A simulated Envoy says of itself what a real one does, the list of its 516 extensions with it, subscribes in Envoy's order (clusters,
// then the listener, then the index that the listener asks for), acknowledges each response, and when it comes back names what it holds.
// Its flow control is Envoy's. It loads no index: what a real one needs for that comes on top.
//
// It is made to cost little beside the control plane that is measured: it speaks HTTP/2 frames itself, and reads a response as it
// arrives, an index of any size through one frame's buffer. Of each index it keeps a digest, so that a fleet that got the bytes which one
// Envoy kept and proved ([Envoy.Index]) is known to have got them all.
package fleet
