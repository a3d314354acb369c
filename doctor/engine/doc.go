// Package engine runs checks and reports what they found.
//
// A [Plan] is data: the steps of a run in the order of the report, which refer
// to each other by their ids. [Plan.Checks] makes [Check]s of the steps, and
// [Run] runs them at the same time. A check starts when the checks that it
// needs have ended without a fault. If several checks find the same fault, only
// one reports it. A [Cause] is a fault that checks can find. This package does
// not know what the checks examine.
package engine
