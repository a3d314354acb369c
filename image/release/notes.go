package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// heading matches the heading of a version in CHANGELOG.md.
var heading = regexp.MustCompile(`(?m)^## (\S+)$`)

// releaseNotes returns the section of the version in CHANGELOG.md. It fails if
// there is no such section. If tag is not empty, tag must name the version, and
// the version's section must be the first one. A section above it would
// describe changes that the release notes do not mention.
func releaseNotes(source, version, tag string) (string, error) {
	content, err := os.ReadFile(filepath.Join(source, "CHANGELOG.md"))
	if err != nil {
		return "", err
	}
	text := strings.ReplaceAll(string(content), "\r\n", "\n")
	notes, newest := section(text, version)
	switch {
	case notes == "":
		return "", fmt.Errorf("CHANGELOG.md has no text about version %s: write a section \"## %[1]s\", or correct VERSION", version)
	case tag != "" && tag != "v"+version:
		return "", fmt.Errorf("the tag is %s, and VERSION says %s: the tag must be v%[2]s", tag, version)
	case tag != "" && newest != version:
		return "", fmt.Errorf("CHANGELOG.md begins with %s, and VERSION says %s: the released version must be the first", newest, version)
	}
	return notes, nil
}

// section returns the text below the heading of a version. newest is the
// version of the first heading.
func section(text, version string) (notes, newest string) {
	headings := heading.FindAllStringSubmatchIndex(text, -1)
	for i, at := range headings {
		name, end := text[at[2]:at[3]], len(text)
		if i+1 < len(headings) {
			end = headings[i+1][0]
		}
		if i == 0 {
			newest = name
		}
		if body := strings.TrimSpace(text[at[1]:end]); name == version && body != "" {
			notes = body + "\n"
		}
	}
	return notes, newest
}
