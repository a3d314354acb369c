// Package pace says when a homeserver may be asked to manage delayed events. A
// [Budget] bounds the requests a second, and the most urgent come first
// ([Urgency]). [Workers] bounds how many of a keeper's workers are at one
// homeserver.
package pace
