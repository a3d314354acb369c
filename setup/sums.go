package setup

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"matrixrtc-auth/internal/pattern"
)

// sumsFile holds the checksums of the files that setup wrote last, in the
// format of sha256sum.
const sumsFile = ".setup-sums"

// sums are the SHA-256 sums of what setup wrote, by file name. A file with
// another sum was edited by a person.
type sums map[string]string

var sumLine = pattern.New(`(?m)^([0-9a-f]{64})  (\S+)$`)

// underWay is a line in sumsFile while a run writes files.
const underWay = "# Files are being written, or a run of setup was ended while they were.\n"

// lineSum returns the name under which sums keep the sum of a value that setup
// wrote into .env. Secrets have no such sum.
func lineSum(name string) string { return envFile + ":" + name }

// isFile reports whether a name in the sums is that of a file, and not of a
// value in .env.
func isFile(name string) bool { return !strings.HasPrefix(name, envFile+":") }

// wroteValue reports whether setup wrote this value into .env last. known is
// false if nothing says what setup wrote.
func (s sums) wroteValue(name, value string) (yes, known bool) {
	sum, known := s[lineSum(name)]
	return sum == sumOf(value), known
}

// hadEnv reports whether setup has written a .env, or lines of a .env.
func (s sums) hadEnv() bool {
	_, whole := s[envFile]
	_, line := s[lineSum("LIVEKIT_KEY")]
	return whole || line
}

// note records the values that setup wrote into .env, or would have written
// without a person's changes.
func (s sums) note(content string, names []string) {
	values, _ := parseEnv(content) // setup made this content, so it is valid
	for _, name := range names {
		if name != "LIVEKIT_SECRET" {
			s[lineSum(name)] = sumOf(values[name])
		}
	}
}

// dispute records values that both setup and a person have changed. If nothing
// says what setup wrote last, a later run must not believe that setup wrote the
// new value.
func (s sums) dispute(names []string) {
	for _, name := range names {
		if _, known := s[lineSum(name)]; !known {
			s[lineSum(name)] = sumOf("not known\n") // a sum that no value has
		}
	}
}

// readSums reads the sums of the last run.
func readSums(dir *folder) (sums, error) {
	content, _, err := dir.read(sumsFile)
	return parseSums(string(content)), err
}

// parseSums skips invalid lines. Their files then count as edited and are kept.
func parseSums(content string) sums {
	s := sums{}
	for _, line := range sumLine().FindAllStringSubmatch(content, -1) {
		s[line[2]] = line[1]
	}
	return s
}

func (s sums) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&b, "%s  %s\n", s[name], name)
	}
	return b.String()
}

// wrote reports whether setup wrote this content into the file name, or into
// NAME.new beside it.
func (s sums) wrote(name, content string) bool {
	sum := sumOf(content)
	return s[name] == sum || s[name+newSuffix] == sum
}

func sumOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}
