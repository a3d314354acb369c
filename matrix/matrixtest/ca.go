package matrixtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"time"
)

// CA is a certificate authority for tests.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// All certificates are valid between these two times. In a synctest bubble,
// time begins in the year 2000.
var (
	notBefore = time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)
	notAfter  = time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
)

// NewCA makes a certificate authority.
func NewCA() *CA {
	ca := &CA{key: newKey()}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "matrixtest CA"},
		NotBefore:             notBefore,
		NotAfter:              notAfter,
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	ca.cert = sign(template, template, ca.key, ca.key)
	return ca
}

// Certificate returns a certificate for names, which are DNS names or IP
// addresses.
func (ca *CA) Certificate(names ...string) tls.Certificate {
	return ca.CertificateUntil(notAfter, names...)
}

// CertificateUntil returns a certificate that expires at the given time.
func (ca *CA) CertificateUntil(expires time.Time, names ...string) tls.Certificate {
	return ca.certificate(notBefore, expires, names)
}

// CertificateFrom returns a certificate that is valid from the given time on.
func (ca *CA) CertificateFrom(begins time.Time, names ...string) tls.Certificate {
	return ca.certificate(begins, notAfter, names)
}

func (ca *CA) certificate(begins, expires time.Time, names []string) tls.Certificate {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		NotBefore:    begins,
		NotAfter:     expires,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	key := newKey()
	cert := sign(template, ca.cert, key, ca.key)
	return tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
}

// PEM returns the authority's own certificate, as the content of a CA file.
func (ca *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})
}

// Pool returns a pool of certificates that trusts only this authority.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	return pool
}

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	return key
}

func sign(template, parent *x509.Certificate, key, parentKey crypto.Signer) *x509.Certificate {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	must(err)
	cert, err := x509.ParseCertificate(der)
	must(err)
	return cert
}

// must panics if err is not nil. Only a mistake in a test can cause that.
func must(err error) {
	if err != nil {
		panic("matrixtest: " + err.Error())
	}
}
