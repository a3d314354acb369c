package e2e

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	labels "github.com/traefik/paerser/parser"
)

// traefikLabels holds the settings of Traefik that setup's labels use. The fields have
// the names in Traefik's documentation. Traefik's own decoder refuses labels for other
// settings.
type traefikLabels struct {
	Enable bool
	Docker struct{ Network string }
	HTTP   struct {
		Routers map[string]struct {
			Rule        string
			EntryPoints []string
			Middlewares []string
			TLS         *struct{ CertResolver string }
		}
		Services map[string]struct {
			LoadBalancer struct{ Server struct{ Port int } }
		}
		Middlewares map[string]struct {
			StripPrefix struct{ Prefixes []string }
		}
	}
}

// traefik holds the labels of all containers, as Traefik decodes them. If several rules
// match a request, the longest rule decides.
type traefik map[string]traefikLabels // the key is the container's name

// generatedTraefik returns the labels of traefik.yaml.example, which setup writes.
// Compose merges that file with compose.yaml.
func generatedTraefik(t *testing.T, flags []string) traefik {
	t.Helper()
	dir := writeDeployment(t, "example.org", flags...)
	project := loadGenerated(t, dir, filepath.Join(dir, "traefik.yaml.example"))
	all := traefik{}
	for name, service := range project.Services {
		var l traefikLabels
		if err := labels.Decode(service.Labels, &l, "traefik"); err != nil {
			t.Fatalf("labels of %s: got %v from Traefik, want no error", name, err)
		}
		all[name] = l
		if networks := slices.Sorted(maps.Keys(service.Networks)); !slices.Equal(networks, []string{"default", "proxy"}) {
			t.Errorf("networks of %s: got %q, want default and proxy", name, networks)
		}
		if l.Docker.Network != project.Networks["proxy"].Name || !bool(project.Networks["proxy"].External) {
			t.Errorf("%s: got the network %s, want the external %+v", name, l.Docker.Network, project.Networks["proxy"])
		}
	}
	return all
}

// route returns the container and port to which Traefik sends a request, followed by
// the path that arrives there. If no rule matches, route returns "".
func (all traefik) route(t *testing.T, host, path string) string {
	t.Helper()
	to, longest := "", 0
	for container, l := range all {
		for name, router := range l.HTTP.Routers {
			expression, err := parser.ParseExpr(router.Rule)
			if err != nil {
				t.Fatalf("rule %s: got %v, want no error", router.Rule, err)
			}
			if len(router.Rule) <= longest || !matches(t, expression, host, path) {
				continue
			}
			arrives := path
			for _, m := range router.Middlewares {
				arrives = l.strip(t, m, arrives)
			}
			if router.TLS == nil || router.TLS.CertResolver == "" || !slices.Equal(router.EntryPoints, []string{"websecure"}) {
				t.Errorf("router %s: got %+v, want HTTPS alone", name, router)
			}
			longest = len(router.Rule)
			to = fmt.Sprintf("%s:%d%s", container, l.HTTP.Services[name].LoadBalancer.Server.Port, arrives)
		}
	}
	return to
}

// strip removes a prefix from the path as Traefik's middleware StripPrefix does. The
// result always begins with a slash.
func (l traefikLabels) strip(t *testing.T, middleware, path string) string {
	t.Helper()
	m, found := l.HTTP.Middlewares[middleware]
	if !found {
		t.Fatalf("got no middleware %s, want it among the labels", middleware)
	}
	for _, prefix := range m.StripPrefix.Prefixes {
		if rest, cut := strings.CutPrefix(path, prefix); cut {
			return "/" + strings.TrimPrefix(rest, "/")
		}
	}
	return path
}

// matches reports whether a rule matches a request. The rule has the syntax of a Go
// expression. It consists of calls of Host, Path and PathPrefix with one text each, and
// of &&, || and !.
func matches(t *testing.T, rule ast.Expr, host, path string) bool {
	t.Helper()
	switch e := rule.(type) {
	case *ast.ParenExpr:
		return matches(t, e.X, host, path)
	case *ast.UnaryExpr:
		if e.Op == token.NOT {
			return !matches(t, e.X, host, path)
		}
	case *ast.BinaryExpr:
		left, right := matches(t, e.X, host, path), matches(t, e.Y, host, path)
		switch e.Op {
		case token.LAND:
			return left && right
		case token.LOR:
			return left || right
		}
	case *ast.CallExpr:
		return calls(t, e, host, path)
	}
	t.Fatalf("got a %T in a rule, want what Traefik knows", rule)
	return false
}

func calls(t *testing.T, e *ast.CallExpr, host, path string) bool {
	t.Helper()
	name, isName := e.Fun.(*ast.Ident)
	text, isText := e.Args[0].(*ast.BasicLit)
	if !isName || !isText || len(e.Args) != 1 || text.Kind != token.STRING {
		t.Fatalf("got a matcher with %v, want one text", e.Args)
	}
	value, err := strconv.Unquote(text.Value)
	if err != nil {
		t.Fatal(err)
	}
	switch name.Name {
	case "Host":
		return host == value
	case "Path":
		return path == value
	case "PathPrefix":
		return strings.HasPrefix(path, value)
	}
	t.Fatalf("got the matcher %s, want one that setup writes", name.Name)
	return false
}

// TestGeneratedTraefik checks that Compose and Traefik's decoder accept the labels that
// setup writes. Each request must reach the right container with the right path.
func TestGeneratedTraefik(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		flags  []string
		routes map[string]string // the expected result of route, by host and path
	}{
		"two names": {twoNames, map[string]string{
			"jwt.example.org/sfu/get":       "matrixrtc-auth:8080/sfu/get",
			"jwt.example.org/":              "matrixrtc-auth:8080/",
			"sfu.example.org/":              "livekit:7880/",
			"sfu.example.org/rtc/v1":        "livekit:7880/rtc/v1",
			"sfu.example.org/twirp/a.B/C":   "",
			"matrix.example.org/sfu/get":    "",
			"jwt.example.org.evil.example/": "",
		}},
		"one name": {oneName, map[string]string{
			"matrix.example.org/livekit/jwt/sfu/get":     "matrixrtc-auth:8080/sfu/get",
			"matrix.example.org/livekit/jwt":             "matrixrtc-auth:8080/",
			"matrix.example.org/livekit/jwt/":            "matrixrtc-auth:8080/",
			"matrix.example.org/livekit/sfu":             "livekit:7880/",
			"matrix.example.org/livekit/sfu/rtc":         "livekit:7880/rtc",
			"matrix.example.org/livekit/sfu/twirp/a.B/C": "",
			"matrix.example.org/livekit/jwtother":        "",
			"matrix.example.org/_matrix/client/versions": "",
		}},
		"another port outside": {append(slices.Clone(twoNames), "--jwt-port", "8090"), map[string]string{
			"jwt.example.org/sfu/get": "matrixrtc-auth:8080/sfu/get",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			all := generatedTraefik(t, test.flags)
			for url, want := range test.routes {
				host, path, _ := strings.Cut(url, "/")
				if got := all.route(t, host, "/"+path); got != want {
					t.Errorf("https://%s goes to %q, want %q", url, got, want)
				}
			}
		})
	}
}
