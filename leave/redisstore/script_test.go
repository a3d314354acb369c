package redisstore

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// allowed are the commands that scripts may use. Redis 6.0 has all of them. Each of them
// uses only the keys that are its arguments. Some other commands, for example KEYS and
// SCAN, use all keys of the server.
var allowed = []string{
	"GET", "HDEL", "HGET", "HINCRBY", "HKEYS", "HLEN", "HMGET", "HSCAN", "HSET", "MGET", "MSET", "SET", "TIME",
	"ZADD", "ZCARD", "ZRANGE", "ZRANGEBYLEX", "ZRANGEBYSCORE", "ZREM", "ZSCORE",
}

var calls = regexp.MustCompile(`redis\.p?call\(([^,)]*),?\s*([^,)]*)`)

func TestScriptsUseDeclaredKeys(t *testing.T) {
	declared := []string{"EPOCH", "WRITES", "JOBS", "DUE", "ROOMS", "INDEX", "PRESENT", "COUNTS", "CORRECTION", "KEYS[9]", "ACCOUNTS", "WROTE", "RECORDS", "HEADS", "TALLIES", "SEEN", "SINCE", "hash", "part", "KEYS[FIXED + 1]"}
	found := 0
	for _, s := range []script{clockScript, setClockScript, beginScript, getScript, writeScript, asideScript, claimScript, lendScript, claimRoomsScript, roomScript, recordsScript, scanScript, roomsScript, countScript} {
		source := s().source
		for _, call := range calls.FindAllStringSubmatch(source, -1) {
			command, key := strings.Trim(call[1], "'"), call[2]
			if !slices.Contains(allowed, command) {
				t.Errorf("got %s, want one of the commands that are allowed", call[0])
			}
			if command != "TIME" && !slices.Contains(declared, key) {
				t.Errorf("got %s, want one of the declared keys in it", call[0])
			}
			if strings.HasPrefix(command, "M") {
				testKeys(t, source, command, declared)
			}
			found++
		}
		if strings.Count(source, "redis.call") != len(calls.FindAllString(source, -1)) {
			t.Errorf("got %d calls that are understood, want %d", len(calls.FindAllString(source, -1)), strings.Count(source, "redis.call"))
		}
	}
	if found < 20 {
		t.Errorf("got %d calls, want at least 20", found)
	}
}

// testKeys checks that a script declares the keys in each of its MGET or MSET commands.
// Both commands have several keys. In MSET, every second argument is a value.
func testKeys(t *testing.T, source, command string, declared []string) {
	t.Helper()
	for _, call := range regexp.MustCompile(`redis\.call\('`+command+`', ([^)]*)\)`).FindAllStringSubmatch(source, -1) {
		for i, key := range strings.Split(call[1], ", ") {
			if (command == "MGET" || i%2 == 0) && !slices.Contains(declared, key) {
				t.Errorf("got %s in %s, want one of the declared keys", key, call[0])
			}
		}
	}
}

func TestScriptsAreGuarded(t *testing.T) {
	for _, s := range []script{getScript, writeScript, asideScript, claimScript, lendScript, claimRoomsScript, roomScript, recordsScript, scanScript, roomsScript, countScript, beginScript, setClockScript} {
		source := s().source
		writes := strings.Index(source, "SET'") // where the first SET or MSET is
		if limit := strings.Index(source, ">= tonumber(ARGV[1])"); limit < 0 || writes >= 0 && writes < limit {
			t.Errorf("the script %.60q writes before it compares the time with ARGV[1], or does not compare it; want the comparison first", source)
		}
	}
}
