package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the CPU times in /proc/<pid>/stat. It is 10 ms, because
// USER_HZ is 100 on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// cpuTime returns the CPU time that a process has used, in user and kernel mode.
func cpuTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseStat(string(stat))
}

func cpuTimes(pids []int) ([]time.Duration, error) {
	times := make([]time.Duration, len(pids))
	for i, pid := range pids {
		var err error
		if times[i], err = cpuTime(pid); err != nil {
			return nil, err
		}
	}
	return times, nil
}

// parseStat returns the sum of utime and stime, which are fields 14 and 15
// (proc_pid_stat(5)). It skips field 2, the program's name in parentheses,
// because that may contain spaces and parentheses.
func parseStat(stat string) (time.Duration, error) {
	i := strings.LastIndexByte(stat, ')')
	fields := strings.Fields(stat[i+1:])
	if i < 0 || len(fields) < 13 {
		return 0, fmt.Errorf("%q is not the content of a /proc/<pid>/stat", stat)
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}

// bytesOf is an amount of memory in bytes.
type bytesOf int64

func (b bytesOf) String() string { return fmt.Sprintf("%.1f MB", float64(b)/1e6) }

// memory is the memory of a process as /proc/<pid>/status reports it.
type memory struct {
	RSS  bytesOf // the resident memory now
	Anon bytesOf // the heap and the stacks, without the pages of the program's file
	Peak bytesOf // the highest RSS since the process started
}

func memoryOf(pid int) (memory, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return memory{}, err
	}
	return parseStatus(string(status))
}

func parseStatus(status string) (memory, error) {
	var m memory
	for line := range strings.Lines(status) {
		key, value, _ := strings.Cut(line, ":")
		field, ok := map[string]*bytesOf{"VmRSS": &m.RSS, "RssAnon": &m.Anon, "VmHWM": &m.Peak}[key]
		if !ok {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return m, err
		}
		*field = bytesOf(kib << 10)
	}
	if m.RSS == 0 {
		return m, fmt.Errorf("the content of /proc/<pid>/status has no VmRSS")
	}
	return m, nil
}
