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

// sumsFile holds the checksums of what setup last wrote, in the format of
// sha256sum.
const sumsFile = ".setup-sums"

// sums has the SHA-256 sum of what setup last wrote into each file, by file
// name. If a file has another sum now, a person edited the file. sums also has
// entries for values in .env; see [lineSum].
type sums map[string]string

var sumLine = pattern.New(`(?m)^([0-9a-f]{64})  (\S+)$`)

// underWay is the first line of sumsFile while a run writes files.
const underWay = "# Files are being written, or a run of setup was ended while they were.\n"

// lineSum returns the key under which sums has the checksum of a value in .env.
// name is the variable that has this value. sums has no checksum of a secret.
func lineSum(name string) string { return envFile + ":" + name }

// isFile reports whether an entry of sums is about a file, and not about a
// value in .env.
func isFile(name string) bool { return !strings.HasPrefix(name, envFile+":") }

// wroteValue reports whether value is what setup last wrote into .env for
// name. known is false if sums has no entry for name.
func (s sums) wroteValue(name, value string) (yes, known bool) {
	sum, known := s[lineSum(name)]
	return sum == sumOf(value), known
}

// hadEnv reports whether setup has written a .env, or has added lines to a .env
// that existed before.
func (s sums) hadEnv() bool {
	_, whole := s[envFile]
	_, line := s[lineSum("LIVEKIT_KEY")]
	return whole || line
}

// note records checksums of values in content, which is setup's .env. names has
// the variables whose values note records. If setup kept a person's value in
// the file, note still records setup's value.
func (s sums) note(content string, names []string) {
	values, _ := parseEnv(content) // the error is nil, because setup made the content
	for _, name := range names {
		if name != "LIVEKIT_SECRET" {
			s[lineSum(name)] = sumOf(values[name])
		}
	}
}

// dispute is for variables in .env whose values both setup and a person changed.
// If sums has no entry for such a variable, dispute adds an entry with a checksum
// that no value has. Without it, a later run would think that setup wrote the
// person's value.
func (s sums) dispute(names []string) {
	for _, name := range names {
		if _, known := s[lineSum(name)]; !known {
			s[lineSum(name)] = sumOf("not known\n") // no value contains a line break, so no value has this checksum
		}
	}
}

// readSums reads the sums that the last run wrote.
func readSums(dir *folder) (sums, error) {
	content, _, err := dir.read(sumsFile)
	return parseSums(string(content)), err
}

// parseSums parses the content of sumsFile. It skips invalid lines. The files
// of such lines then count as edited, and setup keeps them.
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

// wrote reports whether content is what setup last wrote into the file called
// name, or into NAME.new beside this file.
func (s sums) wrote(name, content string) bool {
	sum := sumOf(content)
	return s[name] == sum || s[name+newSuffix] == sum
}

func sumOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}
