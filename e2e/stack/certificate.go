package stack

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"strconv"
)

// writeCertificate writes a certificate to name.crt and its key to name.key, and
// returns both paths.
func (h *Host) writeCertificate(name string, c tls.Certificate) (certificate, key string, err error) {
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		return "", "", err
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
	if certificate, err = h.WriteFile(name+".crt", chain); err != nil {
		return "", "", err
	}
	key, err = h.WriteFile(name+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return certificate, key, err
}

// port returns the port of an address. The address must be one that a Host has
// reserved.
func port(address string) int {
	_, port := splitAddress(address)
	return port
}

// splitAddress returns the host and the port of an address. The address must be one
// that a Host has reserved.
func splitAddress(address string) (host string, port int) {
	host, digits, _ := net.SplitHostPort(address)
	port, _ = strconv.Atoi(digits)
	return host, port
}
