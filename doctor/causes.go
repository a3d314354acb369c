package doctor

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

// Causes returns the table of causes.
func Causes() []engine.Cause { return table() }

// The table and its indexes are made on first use, because the process that
// serves does not need them.
var (
	table = sync.OnceValue(func() []engine.Cause {
		return slices.Concat([]engine.Cause{engine.Unfinished}, configCauses, livekitCauses, reachCauses, homeserverCauses, publicCauses, runningCauses, sfuCauses, mediaCauses, userCauses, memberCauses, proxyCauses)
	})
	byID     = sync.OnceValue(indexByID)
	checkIDs = sync.OnceValue(listChecks)
)

func indexByID() map[string]*engine.Cause {
	index := map[string]*engine.Cause{}
	for i := range table() {
		index[table()[i].ID] = &table()[i]
	}
	return index
}

// causeOf returns the cause with that id, which must exist.
func causeOf(id string) *engine.Cause {
	c := byID()[id]
	if c == nil {
		panic(fmt.Sprintf("doctor: the table lacks the cause %q", id))
	}
	return c
}

// listChecks returns the ids of all checks.
func listChecks() (list []string) {
	for _, c := range table() {
		list = append(list, c.Checks...)
	}
	return list
}

const (
	plain   = "it needs no network to be broken, and the tests of config break it"
	lengthy = "it takes the whole time of a check; make breakages breaks it"
	rare    = "the same code path as its neighbours, told apart by one comparison"
	natural = "no two machines behind one router are at hand"
)
