// Package engine runs checks and reports what they found.
//
// A [Plan] is data: the steps of a run in the order of the report, which refer
// to each other by their ids. It becomes [Check]s, which [Run] runs at the
// same time. A check starts when the checks that it needs have ended without a
// fault. If several checks find the same fault, only one reports it. What a
// check may find is a [Cause]. This package does not know what the checks
// examine.
package engine
