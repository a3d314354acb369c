package handler

import (
	"net/url"
	"slices"
	"strings"
)

// OneOf returns a function that reports whether a URL means the same as one of
// urls. It makes no difference whether scheme and host are in upper or lower
// case. A default port or a slash at the end makes no difference either.
func OneOf(urls ...string) func(string) bool {
	known := make([]string, len(urls))
	for i, u := range urls {
		known[i] = normalURL(u)
	}
	// Most clients send the URL exactly as it is in urls. So this function
	// makes the fast comparison first.
	return func(u string) bool { return slices.Contains(urls, u) || slices.Contains(known, normalURL(u)) }
}

var defaultPorts = map[string]string{"ws": "80", "http": "80", "wss": "443", "https": "443"}

// normalURL returns the same text for all URLs that mean the same. If text is
// not a URL, normalURL returns text unchanged.
func normalURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return text
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" && port != defaultPorts[u.Scheme] { // url.Parse has put u.Scheme into lower case
		host += ":" + port
	}
	u.Host = host
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	return u.String()
}
