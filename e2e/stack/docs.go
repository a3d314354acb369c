package stack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Docs is the text of those pages in docs/ from which users copy blocks.
type Docs string

// OpenDocs reads the pages of Docs from the repository.
func OpenDocs(ctx context.Context) (Docs, error) {
	repository, err := Repository(ctx)
	if err != nil {
		return "", err
	}
	var all []byte
	for _, page := range []string{"synology.md", "homeserver.md", "proxies.md", "by-hand.md"} {
		text, err := os.ReadFile(filepath.Join(repository, "docs", page))
		if err != nil {
			return "", err
		}
		all = append(all, text...)
	}
	return Docs(all), nil
}

// Block returns a code block of docs/. It is the first block in the given language that
// contains the given text.
func (d Docs) Block(language, holds string) (string, error) {
	rest := string(d)
	for {
		_, after, found := strings.Cut(rest, "\n```"+language+"\n")
		if !found {
			return "", fmt.Errorf("no page of docs/ has a block in %s that contains %q", language, holds)
		}
		var block string
		block, rest, _ = strings.Cut(after, "\n```")
		if strings.Contains(block, holds) {
			return block + "\n", nil
		}
	}
}

// directive returns the text between the braces of an nginx directive. It takes the
// first directive that begins with head.
func directive(config, head string) (string, error) {
	_, body, found := strings.Cut(config, head+" {")
	if !found {
		return "", fmt.Errorf("nginx's configuration has no directive %q", head)
	}
	depth := 1
	for i, c := range body {
		switch c {
		case '{':
			depth++
		case '}':
			depth--
		}
		if depth == 0 {
			return body[:i], nil
		}
	}
	return "", fmt.Errorf("the nginx directive %q has no closing brace", head)
}
