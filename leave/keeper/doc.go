// Package keeper keeps the delegated leaves of a store: it restarts them while
// their participants are on the SFU and sends them when they are gone.
//
// A [Keeper] claims the jobs that are due, does the one thing that each asks for
// ([leave.Job.Next]), and writes what follows. When homeservers may be asked
// says package pace, who is on the SFU says package presence; only the keeper
// writes jobs and creates rooms.
package keeper
