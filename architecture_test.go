package main_test

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const architecture = "docs/architecture.md"

var update = flag.Bool("update", false, "have TestHouse write the picture and the list of packages in "+architecture+" anew")

// TestHousePicture checks that the diagram in docs/architecture.md matches the
// imports in the code of the program.
func TestHousePicture(t *testing.T) {
	var picture strings.Builder
	picture.WriteString("\n```mermaid\nflowchart TD\n")
	edges := reduced(houses(importsOf(t)))
	for _, from := range slices.Sorted(maps.Keys(edges)) {
		if to := edges[from]; len(to) > 0 {
			fmt.Fprintf(&picture, "    %s --> %s\n", from, strings.Join(to, " & "))
		}
	}
	picture.WriteString("```\n")
	holdPart(t, "\n```mermaid\n", "```\n", picture.String())
}

// TestHousePackages compares the list of packages in docs/architecture.md with
// the package comments.
func TestHousePackages(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}}\t{{.Doc}}", "./...").Output()
	if err != nil {
		t.Fatalf("go list: got %v, want no error", err)
	}
	var list strings.Builder
	list.WriteString("\n| Package | What it does |\n| --- | --- |\n")
	for line := range strings.Lines(string(out)) {
		name, doc, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		dir := strings.TrimPrefix(strings.TrimPrefix(name, "matrixrtc-auth"), "/")
		if doc == "" {
			t.Errorf("package %s has no package comment, want one", name)
		}
		says := regexp.MustCompile(`^(Package|Command) \S+ `).ReplaceAllString(doc, "")
		fmt.Fprintf(&list, "| [`%s`](../%s) | %s |\n", cmp.Or(dir, name), dir, strings.TrimSuffix(says, "."))
	}
	list.WriteString("\n")
	holdPart(t, "\n| Package | What it does |\n", "\n\n", list.String())
}

// TestHouseModules checks that docs/architecture.md links to every Go module
// except the main module.
func TestHouseModules(t *testing.T) {
	modules, err := filepath.Glob("*/go.mod")
	if err != nil || len(modules) == 0 {
		t.Fatalf("modules below the root: got %q, %v, want one at least", modules, err)
	}
	for _, module := range modules {
		if dir := filepath.Dir(module); !strings.Contains(read(t, architecture), "[`"+dir+"`](../"+dir+")") {
			t.Errorf("%s: got no link to the module %s, want one", architecture, dir)
		}
	}
}

// holdPart compares a part of docs/architecture.md with want. begin and end are
// the texts around this part. With the flag -update, holdPart replaces the part
// by want.
func holdPart(t *testing.T, begin, end, want string) {
	t.Helper()
	page := read(t, architecture)
	before, rest, found := strings.Cut(page, begin)
	part, after, ends := strings.Cut(rest, end)
	if !found || !ends {
		t.Fatalf("%s: got no part that begins with %q and ends with %q, want one", architecture, begin, end)
	}
	switch {
	case begin+part+end == want:
	case *update:
		if err := os.WriteFile(architecture, []byte(before+want+after), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s: run go test . -run TestHouse -update; got\n%s\nwant\n%s", architecture, begin+part+end, want)
	}
}

// houses groups the program's packages by their top folders. For each top
// folder it returns the other top folders from which its packages import. It
// leaves out the folder internal.
func houses(imports map[string][]string) map[string][]string {
	top := func(name string) string {
		first, _, _ := strings.Cut(name, "/")
		return strings.Replace(first, "matrixrtc-auth", "main", 1)
	}
	isProgram := reach(imports, "matrixrtc-auth")
	edges := map[string][]string{}
	for from, list := range imports {
		for _, to := range list {
			if !isProgram[from] || !isProgram[to] || top(from) == top(to) || top(to) == "internal" || top(from) == "internal" {
				continue
			}
			if !slices.Contains(edges[top(from)], top(to)) {
				edges[top(from)] = append(edges[top(from)], top(to))
			}
		}
	}
	return edges
}

// reach follows the edges of a graph. It returns the start node and all nodes
// that can be reached from it. It leaves out nodes that are not keys of edges.
func reach(edges map[string][]string, from string) map[string]bool {
	seen := map[string]bool{from: true}
	for todo := []string{from}; len(todo) > 0; todo = todo[1:] {
		for _, to := range edges[todo[0]] {
			if _, ours := edges[to]; (ours || len(edges[to]) > 0) && !seen[to] {
				seen[to] = true
				todo = append(todo, to)
			}
		}
	}
	return seen
}

// reduced leaves out the edges that are not needed. The edge from a to b is not
// needed if there is a longer path from a to b.
func reduced(edges map[string][]string) map[string][]string {
	for _, list := range edges {
		for _, to := range list {
			if edges[to] == nil {
				edges[to] = []string{}
			}
		}
	}
	kept := map[string][]string{}
	for from, list := range edges {
		for _, to := range list {
			follows := slices.ContainsFunc(list, func(other string) bool { return other != to && reach(edges, other)[to] })
			if !follows {
				kept[from] = append(kept[from], to)
			}
		}
		slices.Sort(kept[from])
	}
	return kept
}

// TestHouseWays checks the files and functions that docs/architecture.md names.
// Each file must exist. If the page names a function with the file, the file
// must declare this function.
func TestHouseWays(t *testing.T) {
	places := regexp.MustCompile("`([a-z/]+\\.go)`(?: `([A-Za-z.]+)`)?").FindAllStringSubmatch(read(t, architecture), -1)
	if len(places) < 40 {
		t.Errorf("%s: got %d places in the code, want 40 at least: the ways of a token request and of a leave", architecture, len(places))
	}
	for _, place := range places {
		file, name := place[1], place[2]
		if _, err := os.Stat(file); err != nil {
			t.Errorf("%s: got %v, want no error", architecture, err)
			continue
		}
		if name != "" && !declared(t, file)[name] {
			t.Errorf("%s: got %s of %s, want what that file declares", architecture, name, file)
		}
	}
}

// TestHouseQuestions checks the section "Where to look" of
// docs/architecture.md. The page must not contain a question twice. Each row
// must name a declaration in a file, or a doc.go. A group of questions must
// have at most 25 rows, so that it fits on a screen.
func TestHouseQuestions(t *testing.T) {
	_, table, found := strings.Cut(read(t, architecture), "\n## Where to look\n")
	table, _, ends := strings.Cut(table, "\n## ")
	if !found || !ends {
		t.Fatalf("%s has no section Where to look, want one", architecture)
	}
	row := regexp.MustCompile("^\\| (.+\\?(?: \\(.+\\))?) \\| (?:`[a-z/]+\\.go` `[A-Za-z.]+`|`[a-z/]+/doc\\.go`)(?:, `[a-z/]+\\.go` `[A-Za-z.]+`)* \\|$")
	seen := map[string]bool{}
	group, rows := "", 0
	for line := range strings.Lines(table) {
		line = strings.TrimSuffix(line, "\n")
		if title, begins := strings.CutPrefix(line, "### "); begins {
			group, rows = title, 0
		}
		if !strings.HasPrefix(line, "| ") || strings.HasSuffix(line, "| Where |") || strings.HasPrefix(line, "| ---") {
			continue
		}
		parts := row.FindStringSubmatch(line)
		switch {
		case parts == nil:
			t.Errorf("%s: got %q, want a question and the `file.go` `Name`, or the `doc.go`, that answer it", architecture, line)
		case seen[parts[1]]:
			t.Errorf("%s asks %q: got it twice, want it once", architecture, parts[1])
		default:
			seen[parts[1]] = true
		}
		if rows++; rows > 25 {
			t.Errorf("%s, %q: got row %d, %q, want 25 rows at most: divide the group", architecture, group, rows, line)
		}
	}
	if len(seen) < 300 {
		t.Errorf("%s: got %d questions, want at least 300", architecture, len(seen))
	}
}

// TestHouseWords checks the glossary in docs/architecture.md. For each word,
// the glossary names a declaration, which must exist in the code.
func TestHouseWords(t *testing.T) {
	_, words, found := strings.Cut(read(t, architecture), "\n## Words\n")
	rows := regexp.MustCompile("(?m)^\\| ([^|`]+) \\| ([^|]+) \\| `([a-z]+)\\.([A-Za-z.]+)` \\|$").FindAllStringSubmatch(words, -1)
	if all := strings.Count(words, "\n| ") - 2; !found || len(rows) != all || all < 30 {
		t.Fatalf("%s: got %d words, of which %d name what they are in the code, want 30 at least, and all of them", architecture, all, len(rows))
	}
	where := map[string]string{}
	for name := range importsOf(t) {
		where[path.Base(name)] = name
	}
	seen := map[string]bool{}
	for _, row := range rows {
		word, pkg, name := row[1], row[3], row[4]
		if seen[word] {
			t.Errorf("%s: got the word %s twice, want it once", architecture, word)
		}
		seen[word] = true
		if !declaredIn(t, where[pkg])[name] {
			t.Errorf("%s, the word %s: got %s.%s, want a name that the package declares", architecture, word, pkg, name)
		}
	}
}
