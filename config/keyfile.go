package config

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"matrixrtc-auth/internal/apikey"
	"matrixrtc-auth/internal/secret"
)

// parseKeyFile returns the pairs of a key file in their order. A key file is a
// YAML mapping "key: secret", as LiveKit reads it. Several YAML documents,
// separated by "---", count together. If the text is not a YAML mapping,
// parseKeyFile reads it line by line, as some services do. Then "k: a: b" and
// "k:s" are pairs, too. Errors name lines, but show no content.
func parseKeyFile(text string) ([]apikey.Key, error) {
	roots, err := documents(text)
	if err != nil {
		return lineKeys(text)
	}
	var nodes []*yaml.Node
	for _, root := range roots {
		switch root.Kind {
		case yaml.MappingNode:
			nodes = append(nodes, root.Content...)
		case yaml.ScalarNode:
			return lineKeys(text)
		default:
			return nil, errors.New("it contains a list")
		}
	}
	return mappingKeys(nodes)
}

// documents returns the root node of every YAML document in text.
func documents(text string) ([]*yaml.Node, error) {
	var roots []*yaml.Node
	for decoder := yaml.NewDecoder(strings.NewReader(text)); ; {
		var document yaml.Node
		switch err := decoder.Decode(&document); {
		case errors.Is(err, io.EOF):
			return roots, nil
		case err != nil:
			return nil, err
		}
		roots = append(roots, document.Content...)
	}
}

func mappingKeys(nodes []*yaml.Node) ([]apikey.Key, error) {
	var keys keyring
	for i := 0; i+1 < len(nodes); i += 2 {
		id, text := nodes[i], nodes[i+1]
		if id.Kind != yaml.ScalarNode || text.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("line %d has more than a key and its secret (a secret with special characters needs quotation marks)", id.Line)
		}
		if err := keys.add(id.Line, scalar(id), scalar(text)); err != nil {
			return nil, err
		}
	}
	return keys.all()
}

// scalar returns the text of a node; "" for an empty value (the YAML null in
// "key:").
func scalar(n *yaml.Node) string {
	if n.ShortTag() == "!!null" {
		return ""
	}
	return strings.TrimSpace(n.Value)
}

func lineKeys(text string) ([]apikey.Key, error) {
	var keys keyring
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line == "---" || line == "..." {
			continue
		}
		id, rest, found := cutPair(line)
		if !found {
			return nil, fmt.Errorf("line %d has no colon", i+1)
		}
		idText, idErr := unquote(id)
		secretText, secretErr := unquote(rest)
		if idErr != nil || secretErr != nil {
			return nil, fmt.Errorf("line %d has an opening quotation mark without a closing one", i+1)
		}
		if err := keys.add(i+1, idText, secretText); err != nil {
			return nil, err
		}
	}
	return keys.all()
}

// cutPair cuts a line at the first colon that is followed by white space, as
// YAML does. If the line has no such colon, cutPair cuts it at the first colon.
func cutPair(line string) (id, rest string, found bool) {
	for _, separator := range []string{": ", ":\t", ":"} {
		if id, rest, found = strings.Cut(line, separator); found {
			return id, rest, true
		}
	}
	return "", "", false
}

// unquote returns the value of a YAML scalar. The argument part is either text
// in quotation marks, or plain text that can have a comment behind it.
func unquote(part string) (string, error) {
	part = strings.TrimSpace(part)
	if strings.HasPrefix(part, `"`) || strings.HasPrefix(part, "'") {
		var text string
		err := yaml.Unmarshal([]byte(part), &text)
		return text, err
	}
	for _, comment := range []string{" #", "\t#"} {
		part, _, _ = strings.Cut(part, comment)
	}
	return strings.TrimSpace(part), nil
}

// keyring collects the pairs of a key file in their order.
type keyring struct {
	keys []apikey.Key
	seen map[string]bool
}

func (k *keyring) add(line int, id, text string) error {
	switch {
	case id == "":
		return fmt.Errorf("line %d has no key", line)
	case text == "":
		return fmt.Errorf("line %d has no secret", line)
	case k.seen[id]:
		return fmt.Errorf("line %d has a key that an earlier line has, too", line)
	}
	if k.seen == nil {
		k.seen = map[string]bool{}
	}
	k.seen[id] = true
	k.keys = append(k.keys, apikey.Key{ID: id, Secret: secret.New(text)})
	return nil
}

func (k *keyring) all() ([]apikey.Key, error) {
	if len(k.keys) == 0 {
		return nil, errors.New("it contains no key")
	}
	return k.keys, nil
}
