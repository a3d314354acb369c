package matrixtest

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"sync"
)

// junkSize is the size of a junk certificate in bytes. Junk certificates only
// fill the client's memory. A small certificate takes the most memory for each
// byte that a server sends, but a much smaller one than this would be invalid.
const junkSize = 280

// Junk returns n different certificates of 280 bytes. A hostile server can send
// them after its own certificate. Clients do not need these certificates, but
// keep them, so they take up memory of the clients.
func Junk(n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		all[i] = renumbered(junkTemplate())
	}
	return all
}

// Bulky makes large certificates that differ from each other.
type Bulky struct{ der []byte }

// NewBulky returns a Bulky that makes certificates of at least size bytes. The
// argument uris is the number of URIs in each certificate. In the memory of a
// client that parses the certificate, a URI takes 35 times as many bytes as in the
// certificate.
func NewBulky(uris, size int) Bulky {
	template := stranger()
	for range uris {
		template.URIs = append(template.URIs, &url.URL{Scheme: "a"})
	}
	key := newKey()
	if bare := len(sign(template, template, key, key).Raw); bare < size {
		template.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 9950}, Value: make([]byte, size-bare)}}
	}
	return Bulky{sign(template, template, key, key).Raw}
}

// Next returns another certificate.
func (b Bulky) Next() []byte { return renumbered(b.der) }

// LargeChain returns a chain of RSA-4096 certificates for names. The chain is
// as large as real certificate authorities make them. LargeChain also returns a
// pool that trusts the chain.
func LargeChain(names ...string) (tls.Certificate, *x509.CertPool) {
	key, err := rsa.GenerateKey(rand.Reader, 4096)
	must(err)
	root, between, leaf := stranger(), stranger(), stranger()
	for i, template := range []*x509.Certificate{root, between, leaf} {
		template.SerialNumber = big.NewInt(int64(i + 1))
		template.Subject = pkix.Name{CommonName: fmt.Sprintf("large chain, %d", i), Organization: []string{"matrixtest"}}
		template.IsCA = template != leaf
		template.BasicConstraintsValid = true
	}
	for _, template := range []*x509.Certificate{root, between} {
		template.KeyUsage = x509.KeyUsageCertSign
	}
	leaf.DNSNames = names
	leaf.KeyUsage, leaf.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	pool := x509.NewCertPool()
	pool.AddCert(sign(root, root, key, key))
	chain := [][]byte{sign(leaf, between, key, key).Raw, sign(between, root, key, key).Raw}
	return tls.Certificate{Certificate: chain, PrivateKey: key}, pool
}

// serial is the serial number of an original certificate. The function
// renumbered gives each copy another number.
var serial = bytes.Repeat([]byte{0x5a}, 16)

// renumbered returns a copy of a certificate with another serial number. The
// copy's signature is invalid, but no client checks it.
func renumbered(der []byte) []byte {
	der = bytes.Clone(der)
	number := der[bytes.Index(der, serial):][:len(serial)]
	rand.Read(number)
	number[0] = number[0]&0x7f | 1 // makes the number positive, and keeps its length
	return der
}

func stranger() *x509.Certificate {
	return &x509.Certificate{SerialNumber: new(big.Int).SetBytes(serial), NotBefore: notBefore, NotAfter: notAfter}
}

var junkTemplate = sync.OnceValue(func() []byte {
	key := newKey()
	for pad := range junkSize {
		template := stranger()
		template.Subject.CommonName = strings.Repeat("x", pad)
		// The length of a signature varies. So this loop makes several
		// certificates, until one has the right size.
		for range 8 {
			if der := sign(template, &x509.Certificate{}, key, key).Raw; len(der) == junkSize {
				return der
			}
		}
	}
	panic("matrixtest: no certificate has so many bytes")
})
