package doctor

import "fmt"

// Cause is one thing that can be wrong. Its texts have placeholders for what
// was found: see [vars].
type Cause struct {
	ID string
	// Rows are the lines of testdata/failures.txt that it explains.
	Rows []int
	// Checks may name it: ids of checks.
	Checks []string
	// From is where it shows: "inside", "outside" or "both".
	From string
	// Status is Fail, or Warn where it may be meant so or cannot be judged; OK is
	// for a note on what people take for a cause, which no check finds.
	Status Status
	// Blocks has the checks that need the one that found it wait, for a Warn.
	Blocks bool
	// Code is what Element Call shows for it, "" for nothing of its own.
	Code string
	// Text says what is wrong, Remedy what to set.
	Text, Remedy string
	// Unbroken says why no test breaks it; "" means that one does.
	Unbroken string
}

// The codes of Element Call.
const (
	missingTransport = "MISSING_MATRIX_RTC_TRANSPORT"
	openIDError      = "OPEN_ID_ERROR"
	sfuError         = "SFU_ERROR"
	connectionLost   = "CONNECTION_LOST_ERROR"
)

// explain fills the texts.
func (c *Cause) explain(v vars) (text, remedy string) { return v.fill(c.Text), v.fill(c.Remedy) }

// Causes returns the table.
func Causes() []Cause { return table }

var table = concat(configCauses, livekitCauses, reachCauses, homeserverCauses, publicCauses, runningCauses, sfuCauses, mediaCauses, userCauses, memberCauses)

var byID = func() map[string]*Cause {
	index := map[string]*Cause{}
	for i := range table {
		index[table[i].ID] = &table[i]
	}
	return index
}()

// causeOf returns the cause of that id; there is one.
func causeOf(id string) *Cause {
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

func concat(lists ...[]Cause) (all []Cause) {
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

const (
	plain   = "it needs no network to be broken, and the tests of config break it"
	rare    = "the same code path as its neighbours, told apart by one comparison"
	natural = "no two machines behind one router are at hand"
)
