package doctor

import (
	"fmt"

	"matrixrtc-auth/doctor/engine"
)

// The codes of Element Call.
const (
	missingTransport = "MISSING_MATRIX_RTC_TRANSPORT"
	openIDError      = "OPEN_ID_ERROR"
	sfuError         = "SFU_ERROR"
	connectionLost   = "CONNECTION_LOST_ERROR"
)

// Causes returns the table.
func Causes() []engine.Cause { return table }

var table = concat([]engine.Cause{engine.Unfinished}, configCauses, livekitCauses, reachCauses, homeserverCauses, publicCauses, runningCauses, sfuCauses, mediaCauses, userCauses, memberCauses, proxyCauses)

var byID = func() map[string]*engine.Cause {
	index := map[string]*engine.Cause{}
	for i := range table {
		index[table[i].ID] = &table[i]
	}
	return index
}()

// causeOf returns the cause of that id; there is one.
func causeOf(id string) *engine.Cause {
	c := byID[id]
	if c == nil {
		panic(fmt.Sprintf("doctor: the table lacks the cause %q", id))
	}
	return c
}

// checkIDs are those of all checks.
var checkIDs = func() []string {
	var list []string
	for _, c := range table {
		list = append(list, c.Checks...)
	}
	return list
}()

func concat(lists ...[]engine.Cause) (all []engine.Cause) {
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

const (
	plain   = "it needs no network to be broken, and the tests of config break it"
	lengthy = "it takes the whole time of a check; make breakages breaks it"
	rare    = "the same code path as its neighbours, told apart by one comparison"
	natural = "no two machines behind one router are at hand"
)
