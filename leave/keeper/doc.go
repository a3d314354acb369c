// Package keeper keeps the delegated leaves of a store: it restarts them while
// their participants are on the SFU and sends them when they are gone.
//
// A [Keeper] claims the jobs that are due, does the one action that each needs
// ([leave.Job.Next]), and writes the changed job. Package pace says when
// homeservers may be asked, and package presence says who is on the SFU. Only
// the keeper writes jobs and creates rooms.
package keeper
