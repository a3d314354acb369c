package stack

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Readme is the README of this project, whose snippets users copy.
type Readme string

// OpenReadme reads the README of the repository.
func OpenReadme(ctx context.Context) (Readme, error) {
	repository, err := Repository(ctx)
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(repository, "README.md"))
	return Readme(text), err
}

// Block returns the first fenced block of a language that holds the text.
func (r Readme) Block(language, holds string) (string, error) {
	rest := string(r)
	for {
		_, after, found := strings.Cut(rest, "\n```"+language+"\n")
		if !found {
			return "", fmt.Errorf("the README has no block of %s with %q", language, holds)
		}
		var block string
		block, rest, _ = strings.Cut(after, "\n```")
		if strings.Contains(block, holds) {
			return block + "\n", nil
		}
	}
}

// directive returns the body between the braces of an nginx directive, the
// first that begins with head.
func directive(config, head string) (string, error) {
	_, body, found := strings.Cut(config, head+" {")
	if !found {
		return "", fmt.Errorf("nginx's configuration has no %q", head)
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
	return "", fmt.Errorf("%q has no end", head)
}
