// Package keeper works on the delegated leaves of a store: it restarts a leave
// while its participant is on the SFU, and sends it when the participant is gone.
//
// A [Keeper] claims the jobs that are due, does the one action that each needs
// ([leave.Job.Next]), and writes the changed job. Package pace says when
// homeservers may be asked, and package presence says who is on the SFU. Only
// the keeper writes jobs and creates rooms.
package keeper
