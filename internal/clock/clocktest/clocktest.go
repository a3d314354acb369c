// Package clocktest provides a simulated machine for tests. A test can set the
// wall clock of this machine and make it sleep.
package clocktest

import (
	"sync/atomic"
	"time"

	"matrixrtc-auth/internal/clock"
)

// Machine is a simulated computer. The zero value is ready to use: its wall clock
// is right, and it has never slept.
type Machine struct{ wrong, slept atomic.Int64 }

// Clock returns the clock of a process that starts on m now.
func (m *Machine) Clock() *clock.Clock { return clock.From(clock.Source{Wall: m.Wall, Slept: m.Slept}) }

// Wall returns the time of the wall clock.
func (m *Machine) Wall() time.Time {
	return time.Now().Round(0).Add(m.Slept() + time.Duration(m.wrong.Load()))
}

// Set sets the wall clock forward by d, or back if d is negative.
func (m *Machine) Set(d time.Duration) { m.wrong.Add(int64(d)) }

// Sleep makes the machine sleep for d. The machine's wall clock moves forward by d,
// but the virtual time of package synctest stands still.
func (m *Machine) Sleep(d time.Duration) { m.slept.Add(int64(d)) }

// Slept returns how long the machine has slept.
func (m *Machine) Slept() time.Duration { return time.Duration(m.slept.Load()) }
