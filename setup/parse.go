package setup

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/net/idna"

	"matrixrtc-auth/matrix"
)

// parseServerName parses a Matrix server name. Its errors say what to write
// instead, where that can be guessed.
func parseServerName(text string) (matrix.ServerName, error) {
	name, err := matrix.ParseServerName(text)
	if err == nil {
		return name, nil
	}
	return name, fmt.Errorf("%s; %s", plain(err), advice(text, "write what stands behind the colon of your users' ids, like example.org"))
}

// plain is the error's text without quotation of what was typed, if that is
// nothing.
func plain(err error) string { return strings.Replace(err.Error(), `"" is`, "nothing is", 1) }

// parseHost parses a full host name of the internet, in lower case.
func parseHost(text string) (string, error) {
	host := strings.ToLower(text)
	if err := checkHost(host); err != nil {
		return "", fmt.Errorf("%.80q %v; %s", text, err, advice(text, "write a host name like sfu.example.org"))
	}
	return host, nil
}

func checkHost(host string) error {
	_, notIP := netip.ParseAddr(strings.Trim(host, "[]"))
	labels := strings.Split(host, ".")
	switch {
	case notIP == nil:
		return errors.New("is an address, for which clients accept no certificate")
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
		return errors.New("holds other characters than letters, digits, '-' and '.'")
	case label[0] == '-' || label[len(label)-1] == '-':
		return errors.New("has a part that begins or ends with '-'")
	}
	return nil
}

// advice guesses what somebody meant who typed text in place of a name.
func advice(text, otherwise string) string {
	guess := text
	if _, rest, found := strings.Cut(guess, "://"); found {
		guess = rest
	}
	guess, _, _ = strings.Cut(guess, "/")
	if strings.HasPrefix(guess, "@") {
		_, guess, _ = strings.Cut(guess, ":")
	}
	guess = strings.TrimSuffix(strings.TrimSpace(guess), ".")
	if ascii, err := idna.Lookup.ToASCII(guess); err == nil {
		guess = ascii
	}
	if _, err := matrix.ParseServerName(guess); err != nil || guess == text {
		return otherwise
	}
	return "write " + guess
}

// parentOf is the domain under which names are proposed.
func parentOf(serverName string) string {
	name, err := matrix.ParseServerName(serverName)
	if _, ip := name.IP(); err != nil || ip {
		return "example.org"
	}
	return strings.ToLower(name.Host())
}

// presetBaseURL is where clients look without any well-known file.
func presetBaseURL(serverName, singleHost string) string {
	if singleHost != "" {
		return "https://" + strings.ToLower(singleHost)
	}
	name, _ := matrix.ParseServerName(serverName)
	return "https://" + strings.ToLower(name.Host())
}

// urlLetters are those that mean the same in YAML, .env and a shell.
const urlLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/[]"

// parseBaseURL parses the public address of the homeserver, without a slash at
// its end.
func parseBaseURL(text string) (string, error) {
	return parseURL(text, "https", "https://matrix.example.org")
}

// parseHomeserverURL parses the address of the homeserver as the container
// sees it.
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
		return "", fmt.Errorf("%q is the container itself; for this machine write http://host.docker.internal:%s", text, portOr(parsed, "8008"))
	}
	return u, nil
}

// network is what Docker lets a network be called.
var network = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$`)

// parseNetwork parses the name of a network of Docker.
func parseNetwork(text string) (string, error) {
	if !network.MatchString(text) {
		return "", fmt.Errorf("%.80q is not the name of a network; docker network ls lists them, and one looks like matrix_default", text)
	}
	return text, nil
}

// parseAppServiceURL parses the address of this service as the homeserver sees
// it. It has no path of Matrix, which the homeserver adds itself.
func parseAppServiceURL(text string) (string, error) {
	const example = "http://matrixrtc-auth:8080"
	u, err := parseURL(text, "http https", example)
	if err == nil && strings.Contains(u, "/_matrix") {
		return "", fmt.Errorf("%.80q holds a path of Matrix, which the homeserver adds itself; write an address like %s", text, example)
	}
	return u, err
}

func portOr(u *url.URL, preset string) string {
	if u.Port() != "" {
		return u.Port()
	}
	return preset
}

func parseURL(text, schemes, example string) (string, error) {
	fault := func(what string) (string, error) {
		return "", fmt.Errorf("%.80q %s; write an address like %s", text, what, example)
	}
	trimmed := strings.TrimRight(text, "/")
	u, err := url.Parse(trimmed)
	switch {
	case err != nil || strings.Trim(trimmed, urlLetters) != "" || strings.ContainsAny(trimmed, "@?#$% "):
		return fault("holds what has no place in an address here")
	case !strings.Contains(" "+schemes+" ", " "+u.Scheme+" ") || u.Scheme == "":
		return fault("does not start with " + strings.ReplaceAll(schemes, " ", ":// or ") + "://")
	case u.Hostname() == "":
		return fault("has no host")
	case u.Port() != "" && !isPort(u.Port()):
		return fault("has a port that is none")
	}
	return trimmed, nil
}
