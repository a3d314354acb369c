// Package causes is the table of what can be wrong with a deployment: what each
// cause is called, which checks find it, and how it is mended.
//
// Doctor reports only causes of this table. [Troubleshooting] makes
// docs/troubleshooting.md from the table.
package causes

import (
	"fmt"
	"slices"
	"sync"

	"matrixrtc-auth/doctor/engine"
)

// The error codes of Element Call.
const (
	missingTransport = "MISSING_MATRIX_RTC_TRANSPORT"
	openIDError      = "OPEN_ID_ERROR"
	sfuError         = "SFU_ERROR"
	connectionLost   = "CONNECTION_LOST_ERROR"
)

// All returns the table of causes.
func All() []engine.Cause { return table() }

// Checks returns the ids of all checks, some of them several times.
func Checks() []string { return checks() }

// The table and its indexes are made on first use, because the running service
// does not need them.
var (
	table = sync.OnceValue(func() []engine.Cause {
		return slices.Concat([]engine.Cause{engine.Unfinished}, configCauses, livekitCauses, reachCauses, homeserverCauses, publicCauses, runningCauses, sfuCauses, mediaCauses, userCauses, memberCauses, proxyCauses)
	})
	byID   = sync.OnceValue(indexByID)
	checks = sync.OnceValue(listChecks)
)

func indexByID() map[string]*engine.Cause {
	index := map[string]*engine.Cause{}
	for i := range table() {
		index[table()[i].ID] = &table()[i]
	}
	return index
}

// Of returns the cause with that id. It panics if there is no such cause.
func Of(id string) *engine.Cause {
	c := byID()[id]
	if c == nil {
		panic(fmt.Sprintf("doctor: the table lacks the cause %q", id))
	}
	return c
}

func listChecks() (list []string) {
	for _, c := range table() {
		list = append(list, c.Checks...)
	}
	return list
}

// These texts are values of [engine.Cause.Unbroken]. They say why no test
// produces a cause.
const (
	plain   = "it needs no network to be broken, and the tests of config break it"
	lengthy = "it takes the whole time of a check; make breakages breaks it"
	rare    = "the same code path as its neighbours, told apart by one comparison"
)
