package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
)

// What a chain of certificates may hold where [Pool.MaxHandshake] bounds it. A
// connection keeps it parsed: that takes 3 times its bytes when it is honest, 8
// times when it is many small certificates, and 40 times when it is small
// entries (TestParsedChains). An honest chain has 2 to 4 certificates, and some
// 40 entries besides its names.
const (
	maxCertificates = 10
	maxEntries      = 500
	// perEntry is what an entry counts for at least of [Pool.MaxHandshakes], in
	// bytes: so what is parsed takes no more than 8 times what it counts for.
	perEntry = 64
)

// checkChain is for [tls.Config.VerifyConnection].
func checkChain(state tls.ConnectionState) error {
	chain := state.PeerCertificates
	if len(chain) > maxCertificates {
		return fmt.Errorf("the server sent %d certificates, more than %d", len(chain), maxCertificates)
	}
	if n := allEntries(chain); n > maxEntries {
		return fmt.Errorf("the server's certificates have %d names and other entries, more than %d", n, maxEntries)
	}
	return nil
}

// weight is what a chain counts for by its entries.
func weight(chain []*x509.Certificate) int64 { return int64(allEntries(chain)) * perEntry }

func allEntries(chain []*x509.Certificate) (n int) {
	for _, c := range chain {
		n += entries(c)
	}
	return n
}

// entries counts what has memory of its own in a parsed certificate.
func entries(c *x509.Certificate) int {
	n := len(c.DNSNames) + len(c.EmailAddresses) + len(c.IPAddresses) + len(c.URIs) +
		len(c.ExtKeyUsage) + len(c.OCSPServer) + len(c.IssuingCertificateURL) + len(c.CRLDistributionPoints) +
		len(c.Policies) + len(c.PolicyMappings) +
		len(c.PermittedDNSDomains) + len(c.ExcludedDNSDomains) +
		len(c.PermittedIPRanges) + len(c.ExcludedIPRanges) +
		len(c.PermittedEmailAddresses) + len(c.ExcludedEmailAddresses) +
		len(c.PermittedURIDomains) + len(c.ExcludedURIDomains)
	for _, extension := range c.Extensions {
		n += size(extension.Id)
	}
	for _, name := range append(c.Subject.Names, c.Issuer.Names...) {
		n += size(name.Type)
	}
	for _, id := range append(c.UnknownExtKeyUsage, c.PolicyIdentifiers...) {
		n += size(id)
	}
	return n
}

// size counts an object identifier by its length: each byte of it takes eight.
func size(id asn1.ObjectIdentifier) int { return 1 + len(id)/8 }
