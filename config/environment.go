package config

import (
	"crypto/x509"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/kelseyhightower/envconfig"

	"matrixrtc-auth/internal/secret"
)

// Environment holds the values of variables by name. Any of them may be a
// secret.
type Environment map[string]secret.Text

// Input is everything that [Parse] checks, except the files that it names.
type Input struct {
	// Environment holds the variables of the table; see [Variables].
	Environment Environment
	// Others are variables that are not in the table but may be meant for this
	// program.
	Others Environment
	// DataWritable reports that /data is a volume, and that this process can
	// create files there.
	DataWritable bool
	// Fleeting returns why files in a directory do not last, or "" if they do. If
	// nil, all files last.
	Fleeting func(dir string) string
	// Container reports that this process runs in a container.
	Container bool
	// SystemRoots returns the certificates to which LIVEKIT_CA_FILE adds; nil for
	// none.
	SystemRoots func() *x509.CertPool
}

// Load reads the environment and the files that it names. The caller logs the
// warnings, also after an error. The error joins every [Fault]. With an error,
// the Config holds only how to log.
func Load() (Config, []Warning, error) {
	in, err := read()
	if err != nil {
		return Config{}, nil, err
	}
	c, warnings, err := Parse(in, readFile)
	return c, append(warnings, lintMode(c)...), err
}

// Inspect is [Load] for tools that inspect a deployment. With an error, the
// Config holds all values without a fault, and zero values for the others.
func Inspect() (Config, []Warning, error) {
	in, err := read()
	if err != nil {
		return Config{}, nil, err
	}
	c, warnings, err := parse(in, readFile)
	return c, append(warnings, lintMode(c)...), err
}

// LoadListen reads only LIVEKIT_JWT_BIND or its port form: the health check
// must find the service even if other variables or files are wrong.
func LoadListen() (Bind, error) {
	in, err := read()
	if err != nil {
		return Bind{}, err
	}
	j := newJudge(in, readFile)
	return j.listen(j.variable("LIVEKIT_JWT_BIND")), j.err()
}

func read() (Input, error) {
	env, err := readVariables()
	if err != nil {
		return Input{}, fmt.Errorf("reading the environment: %w", err)
	}
	boxed := inContainer()
	return Input{
		Environment: env, Others: others(os.Environ()), SystemRoots: systemRoots,
		DataWritable: writable(dataDir) && mounted(dataDir), Container: boxed,
		Fleeting: func(dir string) string { return fleeting(dir, boxed) },
	}, nil
}

// readVariables reads the table's variables by envconfig. envconfig fills
// structs, so readVariables makes a struct type with a text for each variable.
// Reading texts cannot fail, and [Parse] checks them. envconfig gets no
// defaults: an unset variable would look set, and LIVEKIT_JWT_BIND and
// LIVEKIT_JWT_PORT exclude each other.
func readVariables() (Environment, error) {
	fields := make([]reflect.StructField, len(table))
	for i, v := range table {
		fields[i] = reflect.StructField{Name: v.Name, Type: reflect.TypeFor[string](), Tag: reflect.StructTag(`envconfig:"` + v.Name + `"`)}
	}
	found := reflect.New(reflect.StructOf(fields))
	if err := envconfig.Process("", found.Interface()); err != nil {
		return nil, err
	}
	env := Environment{}
	for i, v := range table {
		env[v.Name] = secret.New(found.Elem().Field(i).String())
	}
	return env, nil
}

func others(environ []string) Environment {
	found := Environment{}
	for _, assignment := range environ {
		if name, text, _ := strings.Cut(assignment, "="); mayBeMeant(name) {
			found[name] = secret.New(text)
		}
	}
	return found
}
