// Package pace says when a homeserver may be asked to manage delayed events: a
// [Budget] of requests a second, which the most urgent get first ([Urgency]),
// and the part of a keeper's workers that may be at one homeserver ([Workers]).
package pace
