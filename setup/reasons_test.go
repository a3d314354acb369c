package setup

import (
	"os"
	"strings"
	"testing"
)

// refusals are inputs that setup refuses, each with words of the message. Words
// that are separated by "|" must be in the same line.
var refusals = []struct {
	args []string
	says string
}{
	// Wrong server names.
	{[]string{"--server-name", "@alice:example.org"}, `--server-name: "@alice:example.org" is a user's id, not a name; write example.org`},
	{[]string{"--server-name", "https://home.example.net/"}, `--server-name: "https://home.example.net/" is an address of the web (URL), not a name; write home.example.net`},
	{[]string{"--server-name", "home.example.net/_matrix"}, `has a path behind the name; write home.example.net`},
	{[]string{"--server-name", "alice@example.org"}, `is an e-mail address, not a name; write example.org`},
	{[]string{"--server-name", "#room:example.org"}, `is a room's name, not a server's; write what stands behind the colon`},
	{[]string{"--server-name", "bücher.example"}, `has letters beyond a to z|write xn--bcher-kva.example`},
	{[]string{"--server-name", "*.example.org"}, `is a pattern for many names|behind the colon`},
	{[]string{"--server-name", "example.org."}, `ends with a dot; write example.org`},
	{[]string{"--server-name", "a b"}, `"a b" holds a blank|behind the colon`},
	{[]string{"--server-name", "example.org:99999"}, `its port is not a number from 1 to 65535`},
	{[]string{"--server-name", "exam_ple.org"}, `a host has only letters, digits|behind the colon`},
	{[]string{"--server-name", ":8448"}, `the host is empty|behind the colon`},
	{[]string{"--server-name", "a.org,b.org,a.org"}, `--server-name: the server name a.org occurs twice; write each name once`},
	{[]string{"--server-name", "a.org,,b.org"}, `--server-name: nothing is not a server name`},
	{[]string{"--server-name", "a.org,https://b.org"}, `"https://b.org" is an address of the web (URL), not a name; write b.org`},
	// Wrong host names.
	{[]string{"--jwt-host", "https://jwt.example.org/sfu/get"}, `is an address of the web (URL), not a name; write jwt.example.org`},
	{[]string{"--jwt-host", "jwt.example.org/livekit"}, `has a path behind the name; write jwt.example.org`},
	{[]string{"--jwt-host", "jwt.example.org:8443"}, `has a port, but clients always use port 443|write jwt.example.org`},
	{[]string{"--jwt-host", "jwt.example.org."}, `ends with a dot; write jwt.example.org`},
	{[]string{"--jwt-host", "jwt_1.example.org"}, `other characters than letters, digits`},
	{[]string{"--jwt-host", "-jwt.example.org"}, `begins or ends with '-'`},
	{[]string{"--jwt-host", strings.Repeat("a", 64) + ".org"}, `empty or longer than 63`},
	{[]string{"--jwt-host", strings.Repeat("a.", 127) + "org"}, `longer than 253`},
	{[]string{"--jwt-host", "jwt"}, `"jwt" is not a full host name; write a host name like`},
	{[]string{"--jwt-host", "jwt..org"}, `empty or longer than 63`},
	{[]string{"--jwt-host", "192.0.2.1"}, `is an IP address, for which clients accept no certificate`},
	{[]string{"--jwt-host", "[2001:db8::1]"}, `is an IP address, for which clients accept no certificate`},
	{[]string{"--jwt-host", "192.0.2"}, `ends in a number`},
	{[]string{"--jwt-host", "a.example.org,b.example.org"}, `holds a blank or a comma, so it is not one name`},
	{[]string{"--jwt-host", "a.example.org", "--jwt-host", "b.example.org"}, `--jwt-host: the option is given twice; give it once`},
	{[]string{"--jwt-host", ""}, `--jwt-host is empty: write a value`},
	{[]string{"--sfu-host", "ünder.example.org"}, `has letters beyond a to z|write xn--nder-zra.example.org`},
	{[]string{"--sfu-host", "JWT.example.org"}, `--sfu-host is the same name as --jwt-host|--single-host`},
	{[]string{"--sfu-host", "example.org"}, `--sfu-host: example.org is the server name|sfu.example.org`},
	{[]string{"--sfu-host", "b.org", "--server-name", "example.org,b.org"}, `--sfu-host: b.org is the server name|sfu.b.org`},
	{[]string{"--single-host", "matrix.example.org"}, `--single-host is one name for this service and LiveKit|--jwt-host and --sfu-host`},
	// Wrong addresses.
	{[]string{"--base-url", "http://matrix.example.org"}, `does not start with https://; write an address like`},
	{[]string{"--base-url", "matrix.example.org"}, `does not start with https://`},
	{[]string{"--base-url", "https://"}, `has no host`},
	{[]string{"--base-url", "https://:8448"}, `has no host`},
	{[]string{"--base-url", "https://matrix.example.org/?a=b"}, `has a query (?…)`},
	{[]string{"--base-url", "https://matrix.example.org/#a"}, `has a fragment (#…)`},
	{[]string{"--base-url", "https://matrix.example.org/a b"}, `holds ' ', which has no place`},
	{[]string{"--base-url", "https://matrix.example.org/$b"}, `holds '$', which has no place`},
	{[]string{"--base-url", "https://matrix.example.org:0"}, `has a port that is not a number from 1 to 65535`},
	{[]string{"--base-url", "https://matrix.example.org:port"}, `has a port that is not a number from 1 to 65535`},
	{[]string{"--base-url", "https://matrix.example.org/_matrix/client"}, `holds a path of Matrix, /_matrix, which is added by itself`},
	{[]string{"--base-url", "b.org=https://b.org"}, `--base-url: "b.org" is not one of the server names; write one of these in front of the equals sign: example.org`},
	{[]string{"--base-url", "https://b.org", "--server-name", "example.org,b.org"}, `is an address without a server name, and there are several servers: write the name in front, like example.org=https://b.org`},
	{[]string{"--base-url", "b.org=https://a,b.org=https://b", "--server-name", "example.org,b.org"}, `the server name b.org occurs twice; write one address for it`},
	{[]string{"--homeserver-url", "synapse:8008"}, `does not start with http:// or https://; write an address like http://host.docker.internal:8008`},
	{[]string{"--homeserver-url", "http://localhost:8009"}, `is the address of the container itself; for this machine write http://host.docker.internal:8009`},
	{[]string{"--homeserver-url", "http://[::1]"}, `is the address of the container itself|http://host.docker.internal:8008`},
	{[]string{"--homeserver-url", "http://"}, `has no host`},
	{[]string{"--homeserver-url", "http://a:99999"}, `has a port that is not a number from 1 to 65535`},
	{[]string{"--homeserver-network", "matrix default"}, `--homeserver-network:|docker network ls`},
	{[]string{"--homeserver-network", "a:\n  b: c"}, `--homeserver-network:|docker network ls`},
	{[]string{"--appservice-url", "http://a:8080"}, `--appservice-url has no effect without --appservice: add that`},
	{[]string{"--appservice", "--appservice-url", "a:8080"}, `does not start with http:// or https://; write an address like http://matrixrtc-auth:8080`},
	{[]string{"--appservice", "--appservice-url", "http://a:8080/\nurl: b"}, `holds '\n', which has no place`},
	{[]string{"--appservice", "--appservice-url", "http://a:8080/_matrix/client"}, `holds a path of Matrix|http://matrixrtc-auth:8080`},
	// Wrong options for TURN. TestFaultyPorts has the wrong ports.
	{[]string{"--turn-cert", "cert.pem"}, `--turn-cert has no effect without --turn-tls`},
	{[]string{"--turn-tls", "sfu.example.org"}, `port 443 of sfu.example.org already leads to the reverse proxy: write a host name that only TURN uses, like turn.example.org`},
	{[]string{"--turn-tls", "turn.example.org", "--turn-cert", "missing.pem"}, `--turn-key is missing: write the file with the private key of --turn-cert`},
	{[]string{"--turn-tls", "turn.example.org", "--turn-key", "missing.pem"}, `--turn-cert is missing: write the file with the certificate of --turn-key`},
	{[]string{"--turn-tls", "turn.example.org", "--turn-cert", "missing.pem", "--turn-key", "."}, `--turn-key: "." cannot be read (not a regular file); write the path`},
	{[]string{"--turn-tls", "turn.example.org", "--turn-cert", "missing.pem", "--turn-key", "."}, `--turn-cert: "missing.pem" cannot be read|write the path`},
	{[]string{"--turn-tls", "turn.example.org", "--turn-cert", "flags.go", "--turn-key", "flags.go"}, `not a certificate and its key in PEM form|write the certificate, like fullchain.pem`},
	{[]string{"--turn=maybe"}, `--turn: write it alone, or as --turn=true or --turn=false`},
	{[]string{"--turn", "no"}, `"no" is not an option|--NAME=false`},
	// Wrong options for the image.
	{[]string{"--image", "Not An Image"}, `--image is not the name of an image; write one like registry.example.org`},
	{[]string{"--image", "Example/Auth:1"}, `--image has capital letters|write one like`},
	{[]string{"--image", "https://example.org/a"}, `--image is an address of the web|write one like`},
	{[]string{"--image", "matrixrtc-auth.tar"}, `--image is a file|docker load`},
	{[]string{"--source", "testdata"}, `--source: "testdata" has no Dockerfile|write the folder of this program's source`},
	// Unknown options and missing values.
	{[]string{"nonsense"}, `"nonsense" is not an option: write the option's name before its value`},
	{[]string{"--serve-name", "example.org"}, `there is no option --serve-name; did you mean --server-name?`},
	{[]string{"--nonsense"}, `there is no option --nonsense`},
	{[]string{"--jwt-port"}, `--jwt-port needs a value`},
}

// TestRefusals checks that each refusal has the true reason and the remedy, and
// that setup writes nothing.
func TestRefusals(t *testing.T) {
	for _, c := range refusals {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			l := newLab(t)
			l.run(exitUsage, c.args...)
			l.says(l.err, strings.Split(c.says, "|")...)
			if _, err := os.Stat(l.dir); err == nil {
				t.Error("setup wrote something, want nothing")
			}
		})
	}
}

// TestRefusalsKeepPasswords checks that setup refuses an address with a
// password, and does not print the password.
func TestRefusalsKeepPasswords(t *testing.T) {
	for _, flag := range []string{"--base-url", "--homeserver-url"} {
		for _, servers := range []string{"example.org", "example.org,b.org"} {
			t.Run(flag+" of "+servers, func(t *testing.T) {
				l := newLab(t)
				l.run(exitUsage, "--server-name", servers, flag, "https://admin:s3cret@matrix.example.org")
				l.says(l.err, flag+" has a user name or a password in it", "write an address like")
				if strings.Contains(l.err, "s3cret") {
					t.Errorf("setup %s with a password in the address: got\n%s\nwant no password in it", flag, l.err)
				}
			})
		}
	}
}
