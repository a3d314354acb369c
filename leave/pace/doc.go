// Package pace says when a homeserver may be asked to manage delayed events. A [Budget]
// limits the requests per second, and lets the most urgent requests go first ([Urgency]).
// [Workers] limits how many of a keeper's workers may wait for one homeserver at the
// same time.
package pace
