package existing

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// tree is a part of a YAML or JSON document. If the document does not have this
// part, all methods return zero values.
type tree struct {
	file string
	node *yaml.Node
}

// parse parses a document whose root is a mapping. An error has the number of a
// line, but not its text, because the line may hold a secret.
func parse(f File) (tree, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(f.Content, &document); err != nil {
		return tree{}, fmt.Errorf("%s: %s", f.Name, lineOf(err))
	}
	if len(document.Content) == 0 || document.Content[0].Kind != yaml.MappingNode {
		return tree{}, errNoMapping
	}
	if left := mostNodes; !fits(document.Content[0], &left) {
		return tree{}, fmt.Errorf("%s: the file has more than %d settings, or a YAML alias that contains itself", f.Name, mostNodes)
	}
	return tree{f.Name, document.Content[0]}, nil
}

// mostNodes bounds how many nodes a document may have. The nodes under an alias
// count at each use of the alias. A large homeserver.yaml has a few hundred
// nodes.
const mostNodes = 10_000

// fits subtracts the number of nodes in n from left. It returns false when left
// becomes negative.
func fits(n *yaml.Node, left *int) bool {
	if *left--; *left < 0 {
		return false
	}
	if n.Kind == yaml.AliasNode {
		return fits(n.Alias, left)
	}
	for _, below := range n.Content {
		if !fits(below, left) {
			return false
		}
	}
	return true
}

var errNoMapping = errors.New("the file is not a YAML or JSON mapping (name: value)")

// lineOf returns the line number in the text of a YAML error.
func lineOf(err error) string {
	_, after, _ := strings.Cut(err.Error(), "line ")
	digits := after[:len(after)-len(strings.TrimLeft(after, "0123456789"))]
	if digits == "" {
		return "it is not YAML"
	}
	return "line " + digits + " is not YAML"
}

func (t tree) there() bool { return t.node != nil && t.node.ShortTag() != "!!null" }

func (t tree) place() Place {
	if t.node == nil {
		return Place{File: t.file}
	}
	return Place{t.file, t.node.Line}
}

// entry is a key of a mapping with its value.
type entry struct {
	key   string
	at    Place
	value tree
}

// entries returns the entries of a mapping. Entries that a merge key (<<) adds
// come first, because the mapping's own entries override them (see get).
func (t tree) entries() (list []entry) {
	if t.node == nil || t.node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(t.node.Content); i += 2 {
		key, value := t.node.Content[i], tree{t.file, resolved(t.node.Content[i+1])}
		if key.ShortTag() != "!!merge" {
			list = append(list, entry{key.Value, Place{t.file, key.Line}, value})
			continue
		}
		for _, part := range append(value.items(), value) {
			list = append(part.entries(), list...)
		}
	}
	return list
}

func resolved(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// get follows a path of keys from t, and returns the part of the document at
// the end of the path.
func (t tree) get(path ...string) tree {
	for _, name := range path {
		below := tree{file: t.file}
		for _, e := range t.entries() {
			if e.key == name {
				below = e.value
			}
		}
		t = below
	}
	return t
}

// items returns the items of a list.
func (t tree) items() (list []tree) {
	if t.node == nil || t.node.Kind != yaml.SequenceNode {
		return nil
	}
	for _, n := range t.node.Content {
		list = append(list, tree{t.file, resolved(n)})
	}
	return list
}

// text returns a scalar as the file has it, and "" for a mapping or a list.
func (t tree) text() string {
	if !t.there() || t.node.Kind != yaml.ScalarNode {
		return ""
	}
	return t.node.Value
}

// number returns a scalar as a number; 0 if the text is no number.
func (t tree) number() float64 {
	n, _ := strconv.ParseFloat(t.text(), 64)
	return n
}

// port returns a scalar as a port number; 0 if the text is no port number.
func (t tree) port() int {
	n, _ := strconv.ParseUint(t.text(), 10, 16)
	return int(n)
}

func (t tree) isTrue() bool { return strings.EqualFold(t.text(), "true") }

// document returns the content of t as maps and lists.
func (t tree) document() map[string]any {
	var d map[string]any
	if t.node == nil || t.node.Decode(&d) != nil {
		return nil
	}
	return d
}
