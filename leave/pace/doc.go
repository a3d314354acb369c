// Package pace says when a homeserver may be asked to manage delayed events. A
// [Budget] bounds the requests a second, and lets the most urgent requests go
// first ([Urgency]). [Workers] bounds how many of a keeper's workers may wait for
// one homeserver at a time.
package pace
