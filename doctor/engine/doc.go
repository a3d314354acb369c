// Package engine runs checks and reports what they found.
//
// A [Plan] is data: the steps of a run in the order of the report, which name
// each other by their ids. It becomes [Check]s, which [Run] runs concurrently:
// a check starts when those that it needs have ended well. Of one fault only the
// check that found it speaks. What a check may find is a [Cause]. The package
// knows nothing of what is looked at.
package engine
