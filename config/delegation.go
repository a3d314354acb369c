package config

import (
	"strconv"
	"strings"
	"time"
)

func (j *judge) delegation(v value) bool {
	on, ok := parseBool(v.get())
	if !ok {
		j.fault(v, "%s is neither on nor off; write one of the two", shown(v.get()))
	}
	return on
}

func (j *judge) testPage(v value) bool { return j.delegation(v) }

func (j *judge) maxJobs(v value) int {
	n := count(v.get())
	if n == 0 {
		j.fault(v, "%s is not a number from 1 to 1000000, written without commas; LIVEKIT_DELEGATION=off switches delegated leaves off", shown(v.get()))
	}
	return n
}

func (j *judge) reconnectGrace(v value) time.Duration {
	return j.duration(v, 0, time.Minute, "1s, 500ms")
}

// delayedEventRate parses a number of requests per second. 0 means no bound.
func (j *judge) delayedEventRate(v value) float64 {
	text := strings.ToLower(strings.ReplaceAll(v.get(), " ", ""))
	if text == "off" {
		return 0
	}
	const lowest, highest = 0.1, 10_000
	rate, err := strconv.ParseFloat(strings.TrimSuffix(text, "/s"), 64)
	if err != nil || !(rate >= lowest && rate <= highest) { // the comparisons are false for NaN, so NaN is a fault, too
		j.fault(v, "%s is not a rate; write a number of requests per second from %v to %d, like 10 or 0.5/s, or off for no bound", shown(v.get()), lowest, int(highest))
		return 0
	}
	return rate
}

func showRate(perSecond float64) string {
	if perSecond == 0 {
		return "off"
	}
	return strconv.FormatFloat(perSecond, 'f', -1, 64) + "/s"
}

func (j *judge) sanityCheckInterval(v value) time.Duration {
	const day = 24 * 60 * 60
	n, err := strconv.ParseUint(v.get(), 10, 32)
	if err != nil || n > day {
		j.fault(v, "%s is not a number of seconds; write a whole number from 0 to %d", shown(v.get()), day)
		return 0
	}
	return time.Duration(n) * time.Second
}
