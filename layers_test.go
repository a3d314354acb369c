package main_test

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// layer is a row of the table of layers in docs/architecture.md. folders are
// top folders of the repository. Their packages belong to the layer.
type layer struct {
	name    string
	folders []string
}

// layers returns the layers in docs/architecture.md, with the highest layer
// first.
func layers(t *testing.T) (list []layer) {
	t.Helper()
	for _, row := range regexp.MustCompile("(?m)^\\| (\\w+) \\| ((?:`[a-z]+`,? ?)+) \\| [^|]+ \\|$").FindAllStringSubmatch(section(t, "Layers"), -1) {
		list = append(list, layer{row[1], strings.Split(strings.ReplaceAll(strings.Trim(row[2], " `"), "`", ""), ", ")})
	}
	if len(list) < 4 {
		t.Fatalf("%s: got the layers %v, want 4 at least", architecture, list)
	}
	return list
}

// section returns a section of docs/architecture.md, without its heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	_, rest, found := strings.Cut(read(t, architecture), "\n## "+heading+"\n")
	text, _, ends := strings.Cut(rest, "\n## ")
	if !found || !ends {
		t.Fatalf("%s: got no section %q with another behind it, want one", architecture, heading)
	}
	return text
}

// floorOf returns the index of a package's layer in the table, or -1 if the
// package is in no layer.
func floorOf(table []layer, name string) int {
	folder, _, _ := strings.Cut(strings.Replace(name, "matrixrtc-auth", "main", 1), "/")
	return slices.IndexFunc(table, func(l layer) bool { return slices.Contains(l.folders, folder) })
}

// TestHouseLayers checks that each package of the program imports only packages
// of its own layer or of lower layers.
func TestHouseLayers(t *testing.T) {
	table, imports := layers(t), importsOf(t)
	isProgram := reach(imports, "matrixrtc-auth")
	for _, name := range slices.Sorted(maps.Keys(isProgram)) {
		t.Run(name, func(t *testing.T) {
			floor := floorOf(table, name)
			if floor < 0 {
				t.Fatalf("got no layer, want one of %v", table)
			}
			for _, to := range imports[name] {
				if isProgram[to] && floorOf(table, to) < floor {
					t.Errorf("a package of the layer %q imports %s, which is in a higher layer; want no import upward", table[floor].name, to)
				}
			}
		})
	}
}

// TestHouseShares checks that docs/architecture.md gives a reason for the size
// of every large package, and for no other package. A package is large if it
// has more than a fifth of the lines of its layer.
func TestHouseShares(t *testing.T) {
	lines, table := map[string]int{}, layers(t)
	sums := make([]int, len(table))
	for name := range reach(importsOf(t), "matrixrtc-auth") {
		lines[name] = linesOf(t, name)
		if floor := floorOf(table, name); floor >= 0 {
			sums[floor] += lines[name]
		}
	}
	reasons := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| \\[`([a-z/]+)`\\]\\(\\.\\./[a-z/]+\\) \\| [^|]{40,} \\|$").FindAllStringSubmatch(section(t, "Layers"), -1) {
		reasons[row[1]] = true
		if lines[row[1]] == 0 {
			t.Errorf("%s, Layers: got a reason for %s, want a package of the program", architecture, row[1])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		t.Run(name, func(t *testing.T) {
			floor := floorOf(table, name)
			if floor < 0 {
				t.Fatalf("got no layer, want one of %v", table)
			}
			if large := 5*lines[name] > sums[floor]; large != reasons[name] {
				t.Errorf("%d of the %d lines of the layer %q: got a reason %v in %s, want %v: more than a fifth needs one, and no other has one",
					lines[name], sums[floor], table[floor].name, reasons[name], architecture, large)
			}
		})
	}
}

// linesOf counts the lines of a package's Go files for all operating systems.
// Test files do not count.
func linesOf(t *testing.T, name string) (sum int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(strings.Replace(name, "matrixrtc-auth", ".", 1), "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("got the files %q, %v, want one at least", files, err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") {
			sum += strings.Count(read(t, file), "\n")
		}
	}
	return sum
}
