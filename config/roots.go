package config

import (
	"crypto/x509"
	"runtime/debug"
	"sync"
)

// Roots are the certificates of a file, besides the system's. Nil stands for the
// system's alone.
type Roots struct {
	own *x509.CertPool
	all func() *x509.CertPool
}

// ParseRoots returns the certificates that content has in PEM form, and those of
// system (nil: none), which is asked when the first connection needs them: a
// start does not wait until 140 certificates are read.
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
		debug.FreeOSMemory() // reading them took as much as all that the idle service keeps
		return pool
	}
	return &Roots{own: own, all: sync.OnceValue(all)}, nil
}

// Pool returns all of them, nil for the system's alone.
func (r *Roots) Pool() *x509.CertPool {
	if r == nil {
		return nil
	}
	return r.all()
}

// Equal reports whether both are of the same file's certificates.
func (r *Roots) Equal(other *Roots) bool {
	if r == nil || other == nil {
		return r == other
	}
	return r.own.Equal(other.own)
}

// systemRoots are the system's certificates. A system without any (or an image
// without the file) is no fault: then those of the file are all there is.
func systemRoots() *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return x509.NewCertPool()
	}
	return pool
}
