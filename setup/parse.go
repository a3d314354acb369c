package setup

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"golang.org/x/net/idna"

	"matrixrtc-auth/internal/pattern"
	"matrixrtc-auth/matrix"
)

// parseServerName parses a Matrix server name. An error proposes a name to
// write instead, if parseServerName can guess it.
func parseServerName(text string) (matrix.ServerName, error) {
	const otherwise = "write what stands behind the colon of your users' ids, like example.org"
	if what := misnomer(text); what != "" {
		return matrix.ServerName{}, fmt.Errorf("%.80q %s; %s", text, what, advice(text, otherwise))
	}
	name, err := matrix.ParseServerName(text)
	if err == nil {
		return name, nil
	}
	return name, fmt.Errorf("%s; %s", plain(err), advice(text, otherwise))
}

// plain returns the text of err. If err quotes an empty text, plain writes
// "nothing" in its place.
func plain(err error) string { return strings.Replace(err.Error(), `"" is`, "nothing is", 1) }

// misnomer recognizes a text that obviously is not the name of a server or a
// host, and says what the text is. It returns "" for any other text.
func misnomer(text string) string {
	switch {
	case strings.Contains(text, "://"):
		return "is an address of the web (URL), not a name"
	case strings.HasPrefix(text, "@"):
		return "is a user's id, not a name"
	case strings.HasPrefix(text, "!"), strings.HasPrefix(text, "#"):
		return "is a room's name, not a server's"
	case strings.Contains(text, "@"):
		return "is an e-mail address, not a name"
	case strings.ContainsAny(text, "/?"):
		return "has a path behind the name"
	case strings.ContainsAny(text, ", \t\n"):
		return "holds a blank or a comma, so it is not one name"
	case strings.HasPrefix(text, "*."):
		return "is a pattern for many names, not a name"
	case len(text) > 1 && strings.HasSuffix(text, "."):
		return "ends with a dot"
	case strings.IndexFunc(text, func(r rune) bool { return r > 126 }) >= 0:
		return "has letters beyond a to z, for which host names use another form (xn--…)"
	}
	return ""
}

// parseHost parses a full host name, like jwt.example.org, and returns it in
// lower case.
func parseHost(text string) (string, error) {
	const otherwise = "write a host name like sfu.example.org"
	if what := misnomer(text); what != "" {
		return "", fmt.Errorf("%.80q %s; %s", text, what, advice(text, otherwise))
	}
	host := strings.ToLower(text)
	if name, port, found := strings.Cut(host, ":"); found && isPort(port) && checkHost(name) == nil {
		return "", fmt.Errorf("%.80q has a port, but clients always use port 443, that of the reverse proxy; write %s", text, name)
	}
	if err := checkHost(host); err != nil {
		return "", fmt.Errorf("%.80q %v; %s", text, err, advice(text, otherwise))
	}
	return host, nil
}

func checkHost(host string) error {
	_, notIP := netip.ParseAddr(strings.Trim(host, "[]"))
	labels := strings.Split(host, ".")
	switch {
	case notIP == nil:
		return errors.New("is an IP address, for which clients accept no certificate")
	case len(host) > 253:
		return errors.New("is longer than 253 characters")
	case len(labels) < 2:
		return errors.New("is not a full host name")
	case strings.Trim(labels[len(labels)-1], "0123456789") == "":
		return errors.New("ends in a number instead of a domain")
	}
	for _, label := range labels {
		if err := checkLabel(label); err != nil {
			return err
		}
	}
	return nil
}

func checkLabel(label string) error {
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789-"
	switch {
	case label == "" || len(label) > 63:
		return errors.New("has a part that is empty or longer than 63 characters")
	case strings.Trim(label, letters) != "" || strings.ContainsAny(label, ":/@ "):
		return errors.New("has other characters than letters, digits, '-' and '.'")
	case label[0] == '-' || label[len(label)-1] == '-':
		return errors.New("has a part that begins or ends with '-'")
	}
	return nil
}

// advice guesses which name the person meant by text, and returns the advice to
// write that name. If it cannot guess the name, it returns the general advice
// in the parameter otherwise.
func advice(text, otherwise string) string {
	guess := text
	if _, rest, found := strings.Cut(guess, "://"); found {
		guess = rest
	}
	guess, _, _ = strings.Cut(guess, "/")
	if strings.HasPrefix(guess, "@") {
		_, guess, _ = strings.Cut(guess, ":")
	}
	guess = guess[strings.LastIndex(guess, "@")+1:] // the part after the @ of an e-mail address
	guess = strings.TrimSuffix(strings.TrimSpace(guess), ".")
	if ascii, err := idna.Lookup.ToASCII(guess); err == nil {
		guess = ascii
	}
	if _, err := matrix.ParseServerName(guess); err != nil || guess == text {
		return otherwise
	}
	return "write " + guess
}

// parentOf returns the domain below which setup proposes host names. It is the
// domain of the first server.
func parentOf(serverName string) string {
	servers := serversIn(serverName)
	if len(servers) == 0 {
		return "example.org"
	}
	if _, ip := servers[0].IP(); ip {
		return "example.org"
	}
	return strings.ToLower(servers[0].Host())
}

// urlLetters are the characters that have no special meaning in YAML, in .env
// and in a shell.
const urlLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/[]"

// parseBaseURL parses the homeserver's public URL. It returns the URL without a
// slash at the end.
func parseBaseURL(text string) (string, error) {
	return parseURL(text, "https", "https://matrix.example.org")
}

// parseHomeserverURL parses the URL at which the container reaches the
// homeserver.
func parseHomeserverURL(text string) (string, error) {
	u, err := parseURL(text, "http https", "http://host.docker.internal:8008")
	if err != nil {
		return "", err
	}
	parsed, err := url.Parse(u)
	if err != nil {
		return "", err
	}
	addr, err := netip.ParseAddr(parsed.Hostname())
	if parsed.Hostname() == "localhost" || err == nil && (addr.IsLoopback() || addr.IsUnspecified()) {
		return "", fmt.Errorf("%q is the address of the container itself; for this machine write http://host.docker.internal:%s", text, portOr(parsed, "8008"))
	}
	return u, nil
}

// network matches the names that Docker allows for its networks.
var network = pattern.New(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$`)

// parseNetwork checks the name of a Docker network.
func parseNetwork(text string) (string, error) {
	if !network().MatchString(text) {
		return "", fmt.Errorf("%.80q cannot be the name of a Docker network; write a name that `docker network ls` lists, like matrix_default", text)
	}
	return text, nil
}

// parseAppServiceURL parses the URL at which the homeserver reaches this
// service. The URL must not contain a path of Matrix, because the homeserver
// appends the path itself.
func parseAppServiceURL(text string) (string, error) {
	return parseURL(text, "http https", "http://matrixrtc-auth:8080")
}

func portOr(u *url.URL, preset string) string {
	if u.Port() != "" {
		return u.Port()
	}
	return preset
}

// parseURL parses a URL with one of the schemes, and returns it without
// slashes at the end. An error quotes the text, unless the text may contain a
// password.
func parseURL(text, schemes, example string) (string, error) {
	trimmed := strings.TrimRight(text, "/")
	if strings.Contains(trimmed, "@") {
		return "", fmt.Errorf("has a user name or a password in it, which is not allowed here; write an address like %s", example)
	}
	if what := misspelled(text, trimmed, schemes); what != "" {
		return "", fmt.Errorf("%.80q %s; write an address like %s", text, what, example)
	}
	return trimmed, nil
}

// misspelled says what is wrong with a URL. It returns "" if the URL is right.
// The argument typed is the URL as the person typed it. The argument text is the
// same URL without slashes at its end.
func misspelled(typed, text, schemes string) string {
	scheme, behind, _ := strings.Cut(typed, "://")
	u, err := url.Parse(text)
	switch foreign := strings.Trim(text, urlLetters); {
	case text == "":
		return "is no address"
	case !strings.Contains(" "+schemes+" ", " "+strings.ToLower(scheme)+" "):
		return "does not start with " + strings.ReplaceAll(schemes, " ", ":// or ") + "://"
	case strings.Contains(text, "?"):
		return "has a query (?…), which has no place here"
	case strings.Contains(text, "#"):
		return "has a fragment (#…), which has no place here"
	case foreign != "":
		return fmt.Sprintf("holds %q, which has no place in an address here", []rune(foreign)[0])
	case behind == "" || strings.HasPrefix(behind, ":") || strings.HasPrefix(behind, "/"):
		return "has no host"
	case err != nil || u.Port() != "" && !isPort(u.Port()):
		return "has a port that is not a number from 1 to 65535"
	case u.Hostname() == "":
		return "has no host"
	case strings.Contains(u.Path, "/_matrix"):
		return "holds a path of Matrix, /_matrix, which is added by itself"
	}
	return ""
}
