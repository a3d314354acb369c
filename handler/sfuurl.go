package handler

import (
	"net/url"
	"slices"
	"strings"
)

// OneOf returns whether a URL is one of urls, whatever the case of its scheme
// and host, with or without its default port and a slash at its end.
func OneOf(urls ...string) func(string) bool {
	known := make([]string, len(urls))
	for i, u := range urls {
		known[i] = normalURL(u)
	}
	// Nearly always it is written as it is here.
	return func(u string) bool { return slices.Contains(urls, u) || slices.Contains(known, normalURL(u)) }
}

var defaultPorts = map[string]string{"ws": "80", "http": "80", "wss": "443", "https": "443"}

// normalURL returns one form of all URLs that mean the same; what is no URL stays
// as it is.
func normalURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return text
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" && port != defaultPorts[u.Scheme] { // url.Parse lowers the scheme
		host += ":" + port
	}
	u.Host = host
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	return u.String()
}
