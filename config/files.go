package config

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	"matrixrtc-auth/internal/secret"
)

// largestFile is the largest number of bytes that readFile reads. All public
// certificates together have far fewer bytes.
const largestFile = 4 << 20

// readFile reads a regular file of at most largestFile bytes. If this process
// may not read the file, the error contains a [*Denied].
func readFile(name string) ([]byte, error) {
	content, err := readWhole(name)
	if errors.Is(err, fs.ErrPermission) {
		err = &fs.PathError{Op: "open", Path: name, Err: newDenied(name)}
	}
	return content, err
}

func readWhole(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err == nil && !ends(info) {
		err = &fs.PathError{Op: "open", Path: name, Err: errors.New("it is not a regular file")}
	}
	if err != nil {
		return nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, largestFile+1))
	if len(content) > largestFile {
		err = &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("it is larger than %d MiB", largestFile>>20)}
	}
	return content, err
}

// ends reports whether reading a file surely ends. Reading a pipe or a terminal
// may wait forever. ends accepts a directory, because reading a directory fails
// immediately. It also accepts the null device, because that device is empty.
func ends(info fs.FileInfo) bool {
	null, err := os.Stat(os.DevNull)
	return info.Mode().IsRegular() || info.IsDir() || err == nil && os.SameFile(info, null)
}

// read returns the content of the file that v names. Its faults do not show
// the path, because the value may be a secret that was set by mistake.
func (j *judge) read(v value) ([]byte, bool) {
	content, err := j.readFile(v.get())
	if err != nil {
		j.fault(v, "the file cannot be read (%s); %s", reason(err), remedy(v, err))
		return nil, false
	}
	j.files[v.name] = v.get()
	return content, true
}

// remedy says how to make the file of v readable. If v names LiveKit's key
// file, remedy adds that others must not be able to read the file, because
// LiveKit refuses a key file that others can read.
func remedy(v value, err error) string {
	denied, ok := errors.AsType[*Denied](err)
	switch {
	case !ok:
		return "write the path of a file that this program may read"
	case v.name == "LIVEKIT_KEY_FILE" && !denied.Folder && !denied.allowed():
		return denied.remedy() + ", not more, because LiveKit refuses a key file that others can read"
	}
	return denied.remedy()
}

// reason returns the text of err without the path.
func reason(err error) string {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err.Error()
	}
	return "unknown reason"
}

// readText returns the content of the text file that v names, without a byte
// order mark. It keeps empty lines at the start, so that line numbers are
// right. If the file is empty, readText reports a fault. The fault contains the
// parameter what, which describes the missing content.
func (j *judge) readText(v value, what string) (string, bool) {
	content, ok := j.read(v)
	if !ok {
		return "", false
	}
	text := strings.TrimPrefix(string(content), string(byteOrderMark))
	switch {
	case !utf8.ValidString(text) || strings.Contains(text, "\x00"):
		j.fault(v, "the file is not UTF-8 text; save it as UTF-8")
	case clean(text) == "":
		j.fault(v, "the file is empty; it must hold %s", what)
	default:
		return text, true
	}
	return "", false
}

// inlineOrFile reads a value that the operator can set in two ways. The
// variable inline holds the value itself. The variable file holds the path of a
// file with the value. If both are set, inlineOrFile warns that inline is
// ignored.
//
// inlineOrFile returns the value without white space around it, and whether one
// of the variables is set. If the file cannot be read, the value is empty. If
// the file is empty, inlineOrFile reports a fault. The fault contains the
// parameter what, which describes the missing value.
func (j *judge) inlineOrFile(inline, file value, what string) (text secret.Text, given bool) {
	if !file.isSet() {
		return inline.text, inline.isSet()
	}
	j.ignore(file, inline)
	content, _ := j.readText(file, what)
	return secret.New(clean(content)), true
}

// decisive returns the variable whose value inlineOrFile uses.
func decisive(inline, file value) value {
	if file.isSet() {
		return file
	}
	return inline
}

// rootCAs returns the system's certificates together with those of the file
// that v names; nil if v is unset.
func (j *judge) rootCAs(v value, system func() *x509.CertPool) *Roots {
	if !v.isSet() {
		return nil
	}
	content, ok := j.read(v)
	if !ok {
		return nil
	}
	roots, err := ParseRoots(content, system)
	if err != nil {
		j.fault(v, "the file %v; it must hold certificates in PEM form", err)
		return nil
	}
	return roots
}

// parseCertificates parses all certificates in content. It fails on a damaged
// certificate, which CertPool.AppendCertsFromPEM and pem.Decode would skip. To
// find damaged certificates, it compares the number of parsed certificates with
// the number of BEGIN or END lines.
func parseCertificates(content []byte) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	content = bytes.ReplaceAll(content, []byte(string(byteOrderMark)), nil)
	marked := max(bytes.Count(content, []byte("-----BEGIN CERTIFICATE-----")), bytes.Count(content, []byte("-----END CERTIFICATE-----")))
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("contains a damaged certificate (number %d)", len(list)+1)
		}
		list = append(list, c)
	}
	switch {
	case len(list) != marked:
		return nil, fmt.Errorf("contains %d certificates, of which only %d can be read: the others are damaged or cut off", marked, len(list))
	case marked == 0:
		return nil, errors.New("contains no certificate")
	}
	return list, nil
}
