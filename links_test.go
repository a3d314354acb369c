package main_test

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestLinks checks that every link between the documents leads to a page and a
// heading that exist.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, page := range pages(t) {
		for _, match := range link.FindAllStringSubmatch(read(t, page), -1) {
			target, _, _ := strings.Cut(match[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			if problem := leadsNowhere(t, page, match[1]); problem != "" {
				t.Errorf("%s links to %s: got %s, want none", page, match[1], problem)
			}
		}
	}
}

// TestREADMELeadsToEveryPage checks that the README links to each page of
// docs/.
func TestREADMELeadsToEveryPage(t *testing.T) {
	readme := read(t, "README.md")
	for _, page := range pages(t) {
		if strings.HasPrefix(page, "docs/") && !strings.Contains(readme, "]("+page+")") {
			t.Errorf("README.md: got no link to %s, want one", page)
		}
	}
}

// leadsNowhere says what is wrong with a link in a file. It returns "" if the
// link is right.
func leadsNowhere(t *testing.T, from, link string) string {
	t.Helper()
	target, anchor, _ := strings.Cut(link, "#")
	file := from
	if target != "" {
		file = filepath.Join(filepath.Dir(from), target)
	}
	if _, err := os.Stat(file); err != nil {
		return err.Error()
	}
	if anchor != "" && !slices.Contains(anchors(read(t, file)), anchor) {
		return "the page has no such heading"
	}
	return ""
}

// TestLinksInSources checks the pages that sources mention, for example in
// comments and help. Each such page must exist, and must have the heading that
// the source mentions.
func TestLinksInSources(t *testing.T) {
	mention := regexp.MustCompile(`\b(?:docs/[a-z-]+\.md|README\.md|CHANGELOG\.md)(?:#[a-z0-9_-]+)?`)
	found := 0
	for _, file := range sources(t) {
		for _, page := range mention.FindAllString(read(t, file), -1) {
			found++
			if problem := leadsNowhere(t, "./", page); problem != "" {
				t.Errorf("%s speaks of %s: got %s, want none", file, page, problem)
			}
		}
	}
	if found < 40 {
		t.Errorf("mentions of pages: got %d, want 40 at least", found)
	}
}

// sources returns the files of the repository with code, help or configuration.
// It leaves out the pages of the documentation.
func sources(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && (name == ".git" || name == "build" || name == "node_modules") {
			return filepath.SkipDir
		}
		if entry.Type().IsRegular() && slices.Contains(sourceKinds, kind(entry.Name())) {
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// sourceKinds are kinds of files, as [kind] returns them: file name extensions,
// or whole names. [sources] returns the files of these kinds.
var sourceKinds = []string{
	".go", ".yaml", ".yml", ".example", ".txtar", ".txt", ".sh", ".conf", ".js", ".ts", ".lua", ".tpl",
	"Dockerfile", "Makefile", "run",
}

// kind returns the extension of a file's name, with its dot. If the name has no
// dot, kind returns the whole name.
func kind(name string) string { return cmp.Or(filepath.Ext(name), name) }

// anchors returns the names by which links on GitHub refer to the headings of a
// page.
func anchors(page string) []string {
	heading := regexp.MustCompile(`(?m)^#+ (.*)$`)
	drop := regexp.MustCompile("[^a-z0-9 _-]")
	var names []string
	for _, match := range heading.FindAllStringSubmatch(page, -1) {
		name := drop.ReplaceAllString(strings.ToLower(match[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}
