package handler

import (
	"net/url"
	"slices"
	"strings"
)

// OneOf returns a function that reports whether a URL is one of urls. The
// function ignores the case of scheme and host, the default port, and a slash
// at the end.
func OneOf(urls ...string) func(string) bool {
	known := make([]string, len(urls))
	for i, u := range urls {
		known[i] = normalURL(u)
	}
	// Most clients write the URL exactly as in urls, so the fast comparison is
	// first.
	return func(u string) bool { return slices.Contains(urls, u) || slices.Contains(known, normalURL(u)) }
}

var defaultPorts = map[string]string{"ws": "80", "http": "80", "wss": "443", "https": "443"}

// normalURL returns the same text for all URLs that mean the same. If text is
// no URL, normalURL returns it unchanged.
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
