package config

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// trustedProxies parses a list of networks; "none" means an empty list.
func (j *judge) trustedProxies(v value) []netip.Prefix {
	if strings.EqualFold(v.get(), none) {
		return nil
	}
	return j.networks(v)
}

// none is the value that means an empty list, for a variable that has a
// default.
const none = "none"

// longestHeader bounds the name of a header, in bytes.
const longestHeader = 64

// clientAddress parses the name of the header in which a proxy writes the
// client's address. It returns the name in lower case.
func (j *judge) clientAddress(v value) string {
	name := strings.ToLower(v.get())
	switch {
	case !isHeader(name):
		j.fault(v, "%s is not the name of a header; write x-forwarded-for, x-real-ip, or what your proxy calls it, like cf-connecting-ip", shown(v.get()))
	case name == "forwarded":
		j.fault(v, "this service does not read the header Forwarded, which has another form; let the proxy send X-Forwarded-For, and write x-forwarded-for")
	case isClients(name):
		j.fault(v, "clients write the header %s for another purpose, so it does not hold their address; write x-forwarded-for, x-real-ip, or what your proxy calls it", http.CanonicalHeaderKey(name))
	default:
		return name
	}
	return ""
}

// clientsHeaders are headers that never hold the client's address. Clients
// write these headers for other purposes. Some of them hold secrets, which
// would then be in the log. An entry that ends in a hyphen stands for all
// headers that begin with it.
var clientsHeaders = []string{
	"accept", "accept-", "access-control-", "authorization", "cache-control", "connection", "content-", "cookie",
	"date", "dnt", "expect", "from", "host", "idempotency-key", "if-", "keep-alive", "max-forwards", "origin", "pragma",
	"priority", "proxy-", "range", "referer", "sec-", "set-cookie", "te", "trailer", "transfer-encoding", "upgrade",
	"upgrade-insecure-requests", "user-agent", "x-api-key", "x-csrf-token", "x-requested-with",
}

func isClients(name string) bool {
	return slices.ContainsFunc(clientsHeaders, func(h string) bool {
		return name == h || strings.HasSuffix(h, "-") && strings.HasPrefix(name, h)
	})
}

// isHeader reports whether name is a valid header name: a token of RFC 9110
// 5.6.2.
func isHeader(name string) bool {
	const token = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
	return name != "" && len(name) <= longestHeader && strings.Trim(name, token) == ""
}

func (j *judge) networks(v value) []netip.Prefix {
	var list []netip.Prefix
	for _, entry := range split(v.get()) {
		prefix, ok := parsePrefix(entry)
		if !ok {
			j.fault(v, "%s is neither a network nor an IP address; write one like 10.0.0.0/8 or 10.0.0.1", shown(entry))
			continue
		}
		if prefix.Bits() == 0 {
			j.warn(v, Everyone, "%s contains every address; list only your own networks", shown(entry))
		}
		list = append(list, prefix)
	}
	return list
}

// parsePrefix parses a network. A single address counts as a network of one
// address. An IPv4 network in IPv6 form (::ffff:10.0.0.0/104) becomes IPv4,
// because the program compares all such addresses in IPv4 form.
func parsePrefix(text string) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(text)
	if addr, isAddr := netip.ParseAddr(text); isAddr == nil && addr.Zone() == "" {
		prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	if err != nil {
		return netip.Prefix{}, false
	}
	if addr := prefix.Addr(); addr.Is4In6() && prefix.Bits() >= 96 {
		prefix = netip.PrefixFrom(addr.Unmap(), prefix.Bits()-96)
	}
	return prefix.Masked(), true
}
