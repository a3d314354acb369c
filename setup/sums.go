package setup

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// sumsFile holds what was written last, as sha256sum writes it.
const sumsFile = ".setup-sums"

// sums are SHA-256 sums of what setup wrote, by file name. What has another sum
// now was edited.
type sums map[string]string

var sumLine = regexp.MustCompile(`(?m)^([0-9a-f]{64})  (\S+)$`)

// readSums reads the sums of the last run. Lines that are none are passed over:
// their files then count as edited and are kept.
func readSums(dir *folder) (sums, error) {
	content, _, err := dir.read(sumsFile)
	s := sums{}
	for _, line := range sumLine.FindAllStringSubmatch(string(content), -1) {
		s[line[2]] = line[1]
	}
	return s, err
}

func (s sums) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(&b, "%s  %s\n", s[name], name)
	}
	return b.String()
}

// wrote reports whether content is what setup wrote as the file, or beside it
// for somebody to put in its place.
func (s sums) wrote(name, content string) bool {
	sum := sumOf(content)
	return s[name] == sum || s[name+newSuffix] == sum
}

func sumOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}
