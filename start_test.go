package main_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// maxInit bounds the memory in bytes that all package initialisers of the
// program allocate together. They run at every start of every command.
const maxInit = 192 << 10

// TestInitialisersAllocateLittle checks that the program allocates little
// before it runs a command. Otherwise, the start of each command would make the
// tables and regular expressions of all other commands.
func TestInitialisersAllocateLittle(t *testing.T) {
	cmd := exec.Command("matrixrtc-auth", "version")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	var trace strings.Builder
	cmd.Stderr = &trace
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	inits := regexp.MustCompile(`(?m)^init (matrixrtc-auth/\S+) .*, (\d+) bytes, `).FindAllStringSubmatch(trace.String(), -1)
	if len(inits) == 0 {
		t.Fatalf("got this trace, want a package of ours in it:\n%s", trace.String())
	}
	isProgram, sum := reach(importsOf(t), "matrixrtc-auth"), 0
	for _, init := range inits {
		if !isProgram[strings.TrimPrefix(init[1], "matrixrtc-auth/")] {
			continue // this package belongs to the tests, not to the program
		}
		bytes, err := strconv.Atoi(init[2])
		if err != nil {
			t.Fatal(err)
		}
		if sum += bytes; bytes >= 4<<10 {
			t.Logf("%s allocates %d bytes", init[1], bytes)
		}
	}
	if sum > maxInit {
		t.Errorf("the initialisers of our packages allocate %d bytes, want at most %d", sum, maxInit)
	}
}

// TestPatterns checks that every regular expression of the program compiles. It
// also checks that the program compiles no regular expression while it starts.
func TestPatterns(t *testing.T) {
	imports := importsOf(t)
	patterns := 0
	for dir := range reach(imports, "matrixrtc-auth") {
		files, err := filepath.Glob(filepath.Join(strings.Replace(dir, "matrixrtc-auth", ".", 1), "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: got %d files, %v, want one at least", dir, len(files), err)
		}
		for _, name := range files {
			if !strings.HasSuffix(name, "_test.go") {
				patterns += checkPatterns(t, name)
			}
		}
	}
	if patterns == 0 {
		t.Error("calls of pattern.New: got none, want one at least")
	}
}

// checkPatterns checks the regular expressions in the package variables of one
// file. It returns the number of regular expressions that are compiled at their
// first use.
func checkPatterns(t *testing.T, name string) (patterns int) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		variables, ok := d.(*ast.GenDecl)
		if !ok || variables.Tok != token.VAR {
			continue
		}
		ast.Inspect(variables, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			at := set.Position(call.Pos())
			switch calleeOf(call) {
			case "regexp.MustCompile":
				t.Errorf("%s: got a regular expression that is compiled at every start, want pattern.New", at)
			case "pattern.New":
				patterns++
				if err := compiles(call.Args[0]); err != nil {
					t.Errorf("%s: got %v, want an expression that compiles", at, err)
				}
			}
			return true
		})
	}
	return patterns
}

// calleeOf returns the name of the called function as package.Name. It returns
// "" if the function is not from another package.
func calleeOf(call *ast.CallExpr) string {
	callee, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	from, ok := callee.X.(*ast.Ident)
	if !ok {
		return ""
	}
	return from.Name + "." + callee.Sel.Name
}

func compiles(expr ast.Expr) error {
	literal, ok := expr.(*ast.BasicLit)
	if !ok {
		return strconv.ErrSyntax // the test can compile only a literal text
	}
	text, err := strconv.Unquote(literal.Value)
	if err != nil {
		return err
	}
	_, err = regexp.Compile(text)
	return err
}
