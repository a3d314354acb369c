package breakages

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// signer is a certificate with its key.
type signer struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// writeCertificates writes a certificate authority, a key, and certificates of that key
// for the deployment's host names.
//
//   - root.pem is the certificate of the trusted root.
//   - key.pem is the key of all certificates below.
//   - chain.pem is a correct certificate with its intermediate.
//   - leaf.pem is the same certificate without the intermediate.
//   - expired.pem has expired, ending.pem expires tomorrow, and early.pem becomes
//     valid in an hour.
//   - turn.pem is only for the host name turn. below the domain, and other.pem is
//     for a foreign host name.
//   - own.pem is signed with its own key.
func writeCertificates(dir string) error {
	root, err := sign(authority("Root"), nil)
	if err != nil {
		return err
	}
	middle, err := sign(authority("Intermediate"), root)
	if err != nil {
		return err
	}
	names := []string{domain}
	for _, name := range []string{"matrix", "jwt", "sfu", "synapse", "matrix-rtc", "livekit", "livekit-jwt"} {
		names = append(names, name+"."+domain)
	}
	good, err := sign(site(names, 60*24*time.Hour), middle)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(good.key)
	if err != nil {
		return err
	}
	files := map[string][]byte{
		"root.pem":  blocks(root.certificate.Raw),
		"key.pem":   pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
		"chain.pem": blocks(good.certificate.Raw, middle.certificate.Raw),
		"leaf.pem":  blocks(good.certificate.Raw),
	}
	for file, template := range map[string]*x509.Certificate{
		"expired.pem": site(names, -24*time.Hour),
		"ending.pem":  site(names, 24*time.Hour),
		"early.pem":   from(time.Now().Add(time.Hour), site(names, 60*24*time.Hour)),
		"turn.pem":    site([]string{"turn." + domain}, 60*24*time.Hour),
		"other.pem":   site([]string{"nas.example.net"}, 60*24*time.Hour),
	} {
		raw, err := x509.CreateCertificate(rand.Reader, template, middle.certificate, good.key.Public(), middle.key)
		if err != nil {
			return err
		}
		files[file] = blocks(raw, middle.certificate.Raw)
	}
	template := site(names, 60*24*time.Hour)
	raw, err := x509.CreateCertificate(rand.Reader, template, template, good.key.Public(), good.key)
	files["own.pem"] = blocks(raw)
	faults := []error{err}
	for name, content := range files {
		faults = append(faults, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	return errors.Join(faults...)
}

// sign makes a key, and a certificate for this key. parent signs the certificate. If
// parent is nil, the new key signs it.
func sign(template *x509.Certificate, parent *signer) (*signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if parent == nil {
		parent = &signer{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.certificate, key.Public(), parent.key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return &signer{certificate, key}, err
}

func authority(name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Breakages " + name},
		NotBefore: time.Now().Add(-90 * 24 * time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
}

// site returns a template for a website's certificate. The certificate became valid 80
// days ago. The second parameter is the time until it expires.
func site(names []string, left time.Duration) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-80 * 24 * time.Hour), NotAfter: time.Now().Add(left),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
}

// This function sets the time at which the certificate becomes valid, and returns the
// certificate.
func from(begins time.Time, certificate *x509.Certificate) *x509.Certificate {
	certificate.NotBefore = begins
	return certificate
}

func blocks(certificates ...[]byte) (text []byte) {
	for _, raw := range certificates {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})...)
	}
	return text
}
