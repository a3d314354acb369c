package outbound

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
)

// These are the bounds on a certificate chain if [Pool.MaxHandshake] is set.
//
// A connection keeps the parsed chain in memory. The parsed chain takes more memory
// than the bytes that arrived (TestParsedChains):
//
//   - 3 times as much for an honest chain,
//   - 8 times as much for many small certificates,
//   - 36 to 40 times as much for many small entries, like names and extensions.
//
// An honest chain has 2 to 4 certificates, and about 40 entries besides its names.
const (
	maxCertificates = 10
	maxEntries      = 500
	// perEntry is how many bytes of [Pool.MaxHandshakes] one entry of a chain takes, for
	// example a name or an extension. A chain takes the number of bytes that arrived, or
	// the number of its entries times perEntry, whichever is larger. In memory, the
	// parsed chain is at most 8 times as large as that (measured in TestParsedChains),
	// even if its entries are many and small.
	perEntry = 64
)

// checkChain refuses a certificate chain that exceeds the bounds. It has the
// type of [tls.Config.VerifyConnection].
func checkChain(state tls.ConnectionState) error {
	chain := state.PeerCertificates
	if len(chain) > maxCertificates {
		return fmt.Errorf("the server sent %d certificates, and at most %d are allowed", len(chain), maxCertificates)
	}
	if n := allEntries(chain); n > maxEntries {
		return fmt.Errorf("the server's certificates have %d names and other entries, and at most %d are allowed", n, maxEntries)
	}
	return nil
}

// weight returns a number of bytes: perEntry for each entry of the chain. Toward
// [Pool.MaxHandshakes], a chain counts as at least this number of bytes.
func weight(chain []*x509.Certificate) int64 { return int64(allEntries(chain)) * perEntry }

func allEntries(chain []*x509.Certificate) (n int) {
	for _, c := range chain {
		n += entries(c)
	}
	return n
}

// entries returns how many separately allocated parts a parsed certificate has.
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

// size returns as how many entries an object identifier counts. In parsed form, each
// number of the identifier takes eight bytes, so eight numbers take as many bytes as one
// entry counts (perEntry).
func size(id asn1.ObjectIdentifier) int { return 1 + len(id)/8 }
