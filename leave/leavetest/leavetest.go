// Package leavetest is the contract of a [leave.Store] in code: the tests that
// every store passes.
package leavetest

import (
	"testing"
	"testing/synctest"

	"matrixrtc-auth/leave/standby"
)

// Store is a store that this package tests. It has a method Merge, which package
// standby needs.
type Store = standby.Behind

// Run tests the stores that open returns. Each of them must be empty and independent of
// the other ones. The function open must register a t.Cleanup that closes the store.
// Run uses times close to the current time.
func Run(t *testing.T, open func(*testing.T) Store) { run(t, inRealTime, open) }

// RunVirtual is like Run, but runs each test in virtual time ([synctest]). It is for a
// store that behaves differently if an answer takes long. In virtual time, no answer
// takes long, even if the machine is busy.
func RunVirtual(t *testing.T, open func(*testing.T) Store) { run(t, synctest.Test, open) }

// clock is a function that runs a test in real time or in virtual time.
type clock func(*testing.T, func(*testing.T))

func inRealTime(t *testing.T, test func(*testing.T)) { test(t) }

func run(t *testing.T, in clock, open func(*testing.T) Store) {
	tests := map[string]func(*testing.T, Store){
		"a job is there from Put to Delete":             putAndDelete,
		"every field is kept":                           everyField,
		"any text is kept":                              anyText,
		"keys do not run together":                      keysApart,
		"times are kept to the millisecond":             milliseconds,
		"putting again changes nothing":                 putAgain,
		"a later delegation replaces":                   laterReplaces,
		"an earlier delegation never replaces":          earlierNever,
		"of two at once the greater delay id stays":     tiesByDelayID,
		"a delay id may be delegated again":             sameDelayID,
		"what was replaced is to be cancelled":          replacesAdd,
		"a replacement is lent to nobody":               replacementIsFree,
		"a write must know the last version":            staleWrites,
		"what ended is not written":                     endedWrites,
		"no version comes twice":                        versionsOnce,
		"due jobs are claimed, the earliest first":      claimOrder,
		"a claim is bounded":                            claimBound,
		"every reason to be due counts":                 dueReasons,
		"a lent job is not due before its lease ends":   leaseTime,
		"a job given back is due":                       givenBack,
		"a write by others leaves the lease":            writtenWhileLent,
		"who lost the lease cannot write":               fencing,
		"rooms are claimed once an interval":            roomsOnce,
		"a room is claimed from its first to last job":  roomsLive,
		"a room has its jobs":                           roomJobs,
		"rooms that somebody is in":                     occupiedRooms,
		"jobs are counted":                              counts,
		"jobs are counted for who owns them now":        countsFollowOwner,
		"jobs are counted by what they have become":     countsFollowJobs,
		"what is merged is counted once":                countsOfMerged,
		"the load of a homeserver does not drift":       loadDoesNotDrift,
		"counts are right after anything":               countsAfterAnything,
		"merge: of two delegations the later stays":     mergeDelegations,
		"merge: the copy restarted last stays":          mergeRestarted,
		"merge: then the younger state stays":           mergeSince,
		"merge: what ended is brought back":             mergeEnded,
		"merge: who knew the job before cannot write":   mergeFences,
		"merge: versions grow beyond those of the copy": mergeVersions,
		"merge: a lease lasts":                          mergeLease,
		"merge: again is harmless":                      mergeAgain,
		"merge: many, and none":                         mergeMany,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) { test(t, open(t)) })
		})
	}
	runShared(t, in, func(t *testing.T) (a, b Store) {
		s := open(t)
		return s, s
	})
}

// RunShared tests two processes that share one store. The function open returns a store
// for each of the two processes. Both stores have the same data, which is empty at
// first. The function open must register a t.Cleanup that closes both stores.
func RunShared(t *testing.T, open func(*testing.T) (a, b Store)) { runShared(t, inRealTime, open) }

// RunSharedVirtual is like RunShared, but runs each test in virtual time, as
// [RunVirtual] does.
func RunSharedVirtual(t *testing.T, open func(*testing.T) (a, b Store)) {
	runShared(t, synctest.Test, open)
}

func runShared(t *testing.T, in clock, open func(*testing.T) (a, b Store)) {
	tests := map[string]func(t *testing.T, a, b Store){
		"what one writes the other reads":         sharedJobs,
		"a stale holder is fenced by the other":   sharedFencing,
		"each due job is claimed once":            claimRace,
		"each action is done once":                actionRace,
		"no write is lost":                        writeRace,
		"the latest of many delegations stays":    putRace,
		"a job that comes and goes has one owner": lifeRace,
		"each room is claimed once":               roomRace,
		"counts are right after many at once":     countRace,
	}
	for name, test := range tests {
		t.Run("shared/"+name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				a, b := open(t)
				test(t, a, b)
			})
		})
	}
}
