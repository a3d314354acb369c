package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

// fileMark matches the line before each file in an archive of the format txtar.
var fileMark = regexp.MustCompile(`(?m)^-- (\S+) --\n`)

// Unpack writes the files of an archive into a folder.
func Unpack(archive, dir string) error {
	text, err := os.ReadFile(archive)
	if err != nil {
		return err
	}
	marks := fileMark.FindAllSubmatchIndex(text, -1)
	if len(marks) == 0 {
		return fmt.Errorf("the archive %s contains no files", archive)
	}
	for i, m := range marks {
		end := len(text)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		path := filepath.Join(dir, string(text[m[2]:m[3]]))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text[m[1]:end], 0o600); err != nil {
			return err
		}
	}
	return nil
}
