package config_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"matrixrtc-auth/config"
	"matrixrtc-auth/matrix"
)

// setenv sets the variables in set, and unsets all other variables of this
// program. Unless set contains LIVEKIT_STORE, leaves are kept in memory, so
// that the machine's /data does not matter.
func setenv(t *testing.T, set vars) {
	t.Helper()
	set = vars{"LIVEKIT_STORE": "memory"}.with(set)
	for _, v := range config.Variables() {
		t.Setenv(v.Name, set[v.Name])
		if _, ok := set[v.Name]; !ok {
			os.Unsetenv(v.Name)
		}
	}
}

func write(t *testing.T, content string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func certificate(t *testing.T, name string) (*x509.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func trusts(pool *x509.CertPool, c *x509.Certificate) bool {
	_, err := c.Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err == nil
}

func TestLoad(t *testing.T) {
	ca, caPEM := certificate(t, "private")
	second, secondPEM := certificate(t, "second")
	setenv(t, vars{
		"LIVEKIT_URL":               "wss://sfu.example.org",
		"LIVEKIT_KEY_FROM_FILE":     write(t, "\ufeffAPIkey\r\n"),
		"LIVEKIT_SECRET_FROM_FILE":  write(t, goodSecret+":x\n"),
		"LIVEKIT_LOCAL_HOMESERVERS": "example.org",
		"LIVEKIT_CA_FILE":           write(t, "# two of them\n"+caPEM+secondPEM),
		"LIVEKIT_TOKEN_TTL":         "",
	})
	t.Setenv("LIVEKIT_FULL_ACESS_HOMESERVERS", "typo.example.org")
	c, warnings, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0].Text, "LIVEKIT_FULL_ACCESS_HOMESERVERS?") {
		t.Errorf("warnings %q, want one about the misspelt variable", warnings)
	}
	if key := c.Keys[0]; key.ID != "APIkey" || key.Secret.Reveal() != goodSecret+":x" {
		t.Errorf("got the key %q with the secret %q, want APIkey with %q", key.ID, key.Secret.Reveal(), goodSecret+":x")
	}
	if !trusts(c.RootCAs.Pool(), ca) || !trusts(c.RootCAs.Pool(), second) {
		t.Errorf("LIVEKIT_CA_FILE: got its certificates trusted: %t and %t, want both", trusts(c.RootCAs.Pool(), ca), trusts(c.RootCAs.Pool(), second))
	}
	if c.TokenTTL != time.Hour || !c.FullAccess.Contains(c.FullAccess.Servers[0]) {
		t.Errorf("got the TTL %v and full access %v, want 1 h and the server of the file", c.TokenTTL, c.FullAccess)
	}
}

func TestCAFileAddsToTheSystem(t *testing.T) {
	system, _ := certificate(t, "system")
	private, privatePEM := certificate(t, "private")
	in := minimal().with(vars{"LIVEKIT_CA_FILE": "/ca.pem"}).input()
	systems, asked := x509.NewCertPool(), 0
	systems.AddCert(system)
	in.SystemRoots = func() *x509.CertPool { asked++; return systems }
	c, _, err := config.Parse(in, disk{"/ca.pem": privatePEM}.read)
	if err != nil {
		t.Fatal(err)
	}
	if asked != 0 {
		t.Errorf("parsing LIVEKIT_CA_FILE: the system's certificates were read %d times, want 0 until they are needed", asked)
	}
	if !trusts(c.RootCAs.Pool(), system) || !trusts(c.RootCAs.Pool(), private) {
		t.Error("want both certificates trusted")
	}
	if trusts(systems, private) {
		t.Error("Parse: got the system's roots changed, want its input as before")
	}
	if asked != 1 {
		t.Errorf("two uses of the certificates: the system's were read %d times, want 1", asked)
	}
}

func TestCAFileIsWholeOrAFault(t *testing.T) {
	first, firstPEM := certificate(t, "first")
	second, secondPEM := certificate(t, "second")
	load := func(text string) (config.Config, error) {
		in := minimal().with(vars{"LIVEKIT_CA_FILE": "/ca.pem"}).input()
		c, _, err := config.Parse(in, disk{"/ca.pem": text}.read)
		return c, err
	}
	c, err := load("\ufeff" + firstPEM + "\ufeff" + secondPEM)
	if err != nil || !trusts(c.RootCAs.Pool(), first) || !trusts(c.RootCAs.Pool(), second) {
		t.Errorf("with byte order marks: error %v, want both certificates trusted", err)
	}
	for name, text := range map[string]string{
		"end cut off":       firstPEM + secondPEM[:len(secondPEM)/2],
		"end cut off first": firstPEM[:len(firstPEM)/2] + "\n" + secondPEM,
		"beginning cut off": firstPEM[len(firstPEM)/2:] + secondPEM,
		"no line between":   strings.TrimSpace(firstPEM) + secondPEM,
		"damaged":           strings.Replace(firstPEM, "\nMII", "\n?II", 1) + strings.Replace(secondPEM, "\nMII", "\n*II", 1),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(text)
			if list := faults(t, err); len(list) != 1 || !strings.Contains(list[0].Problem, "damaged or cut off") {
				t.Errorf("%s: got %v, want one fault", name, err)
			}
		})
	}
}

// TestLoadThroughLinks checks that a file can be a link to a link, as in a
// Secret that Kubernetes mounts.
func TestLoadThroughLinks(t *testing.T) {
	link := filepath.Join(t.TempDir(), "secret")
	if err := os.Symlink(write(t, goodSecret), link); err != nil {
		t.Fatal(err)
	}
	setenv(t, minimal().with(vars{"LIVEKIT_SECRET": "", "LIVEKIT_SECRET_FROM_FILE": link}))
	if c, _, err := config.Load(); err != nil || c.Keys[0].Secret.Reveal() != goodSecret {
		t.Errorf("got %v, %v, want the secret", c.Keys, err)
	}
	setenv(t, minimal().with(vars{"LIVEKIT_SECRET_FROM_FILE": os.DevNull}))
	_, _, err := config.Load()
	if list := faults(t, err); len(list) != 1 || !strings.Contains(list[0].Problem, "empty") {
		t.Errorf("got %v, want an empty file", err)
	}
}

func TestLoadFaults(t *testing.T) {
	huge := write(t, strings.Repeat("x", 4<<20+1))
	setenv(t, minimal().with(vars{
		"LIVEKIT_SECRET_FROM_FILE": huge,
		"LIVEKIT_CA_FILE":          filepath.Dir(huge),
	}))
	_, _, err := config.Load()
	list := faults(t, err)
	if len(list) != 2 || !strings.Contains(list[0].Problem, "larger than 4 MiB") || !strings.Contains(list[1].Problem, "is a directory") {
		t.Errorf("got %v, want a file too large and a directory", err)
	}
}

func TestLoadListen(t *testing.T) {
	setenv(t, vars{"LK_JWT_PORT": "9000", "LIVEKIT_KEY_FILE": "/absent"})
	if got, err := config.LoadListen(); err != nil || got != (config.Bind{Network: "tcp", Address: ":9000"}) {
		t.Errorf("LoadListen = %v, %v, want tcp :9000", got, err)
	}
	setenv(t, vars{})
	if got, err := config.LoadListen(); err != nil || got.String() != ":8080" {
		t.Errorf("got %v, %v, want the default", got, err)
	}
	setenv(t, vars{"LIVEKIT_JWT_BIND": "8080"})
	if _, err := config.LoadListen(); len(faults(t, err)) != 1 {
		t.Errorf("got %v, want one fault", err)
	}
}

func TestServers(t *testing.T) {
	c, _, err := config.Parse(minimal().with(vars{
		"LIVEKIT_FEDERATION_URL_OVERRIDES": "fed.org=http://a",
		"LIVEKIT_CS_API_URL_OVERRIDES":     "cs.org=http://a",
		"LIVEKIT_AS_TOKEN":                 "a", "LIVEKIT_HS_TOKEN": "b", "LIVEKIT_HS_SERVER_NAME": "own.org",
	}).input(), disk{}.read)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][2]bool{ // whether the server is in the full-access list, and whether the operator named it
		"example.org": {true, true}, "Example.org": {false, false}, "example.org:8448": {false, false},
		"fed.org": {false, true}, "cs.org": {false, true}, "own.org": {false, true}, "stranger.org": {false, false},
	} {
		t.Run(name, func(t *testing.T) {
			server, err := matrix.ParseServerName(name)
			if err != nil {
				t.Fatal(err)
			}
			if got := [2]bool{c.FullAccess.Contains(server), c.Named(server)}; got != want {
				t.Errorf("%s: full access and named %v, want %v", name, got, want)
			}
			if !c.RemoteCanPublish.Contains(server) {
				t.Errorf("RemoteCanPublish of %s: got false, want true of everyone by default", name)
			}
		})
	}
	all, _, err := config.Parse(minimal().with(vars{"LIVEKIT_FULL_ACCESS_HOMESERVERS": "*"}).input(), disk{}.read)
	stranger, _ := matrix.ParseServerName("stranger.org")
	if err != nil || !all.FullAccess.Contains(stranger) || all.Named(stranger) {
		t.Errorf("with *: error %v; want full access for all, and nobody named", err)
	}
}
