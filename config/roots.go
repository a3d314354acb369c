package config

import (
	"crypto/x509"
	"runtime/debug"
	"sync"
)

// Roots are the certificates of authorities that the service trusts: the
// system's and those of a file. nil means only the system's.
type Roots struct {
	own *x509.CertPool
	all func() *x509.CertPool
}

// ParseRoots parses the certificates in content (PEM). The result has these
// certificates, and also the ones that the function system returns, unless it is
// nil. ParseRoots itself does not call this function, because reading 140
// certificates would delay the start. [Roots.Pool] calls it before the first
// connection.
func ParseRoots(content []byte, system func() *x509.CertPool) (*Roots, error) {
	certificates, err := parseCertificates(content)
	if err != nil {
		return nil, err
	}
	own := x509.NewCertPool()
	for _, c := range certificates {
		own.AddCert(c)
	}
	all := func() *x509.CertPool {
		if system == nil {
			return own
		}
		pool := system().Clone()
		for _, c := range certificates {
			pool.AddCert(c)
		}
		debug.FreeOSMemory() // reading the system's certificates has used much memory: as much as the rest of the idle service
		return pool
	}
	return &Roots{own: own, all: sync.OnceValue(all)}, nil
}

// Pool returns all certificates; nil means only the system's.
func (r *Roots) Pool() *x509.CertPool {
	if r == nil {
		return nil
	}
	return r.all()
}

// Equal reports whether r and other have the same certificates from a file. It
// does not compare the system's certificates.
func (r *Roots) Equal(other *Roots) bool {
	if r == nil || other == nil {
		return r == other
	}
	return r.own.Equal(other.own)
}

// systemRoots returns the system's certificates. If the system has none, it
// returns an empty pool, so that the service trusts only the certificates of
// LIVEKIT_CA_FILE.
func systemRoots() *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return x509.NewCertPool()
	}
	return pool
}
