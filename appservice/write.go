package appservice

import (
	"fmt"
	"strconv"

	"matrixrtc-auth/internal/yamltext"
)

// head is the comment at the top of every registration file.
const head = `# The registration of matrixrtc-auth at the homeserver (Synapse: the list
# app_service_config_files of homeserver.yaml). Synapse and matrixrtc-auth both
# read this file, and nobody else may: it holds two secrets.
`

// Text returns the text of the registration file, including its secrets.
func (r Registration) Text() []byte {
	b := []byte(head)
	line := func(key, value string) { b = fmt.Appendf(b, "%s: %s\n", key, value) }
	line("id", yamltext.Scalar(r.ID))
	line("as_token", yamltext.Scalar(r.ASToken.Reveal()))
	line("hs_token", yamltext.Scalar(r.HSToken.Reveal()))
	line("sender_localpart", yamltext.Scalar(r.SenderLocalpart))
	line("url", textOrNull(r.URL))
	line("rate_limited", boolOrNull(r.RateLimited))
	b = appendList(append(b, "namespaces:\n  users:"...), "    ", r.Users, func(n Namespace) string {
		return fmt.Sprintf("exclusive: %t\n      regex: %s", n.Exclusive, yamltext.Scalar(n.Regex))
	})
	b = appendList(append(b, "io.element.msc4502.scopes:"...), "  ", r.Scopes, yamltext.Scalar)
	line("io.element.msc4512.proxy_prefix", yamltext.Scalar(r.ProxyPrefix))
	line("io.element.msc4512.proxy_url", yamltext.Scalar(r.ProxyURL))
	return b
}

// appendList appends the items of a YAML list to b. The text in b must end in
// the colon after the list's key.
func appendList[T any](b []byte, indent string, list []T, write func(T) string) []byte {
	if len(list) == 0 {
		return append(b, " []\n"...)
	}
	for _, item := range list {
		b = append(b, "\n"+indent+"- "+write(item)...)
	}
	return append(b, '\n')
}

func textOrNull(value string) string {
	if value == "" {
		return "null"
	}
	return yamltext.Scalar(value)
}

func boolOrNull(value *bool) string {
	if value == nil {
		return "null"
	}
	return strconv.FormatBool(*value)
}
