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

// Environment holds variables by name, as they were found. Any of them may
// hold a secret.
type Environment map[string]secret.Text

// Input is everything that [Parse] judges, besides the files that it names.
type Input struct {
	// Environment holds the variables of the table; see [Variables].
	Environment Environment
	// Others are variables that are not in the table, but may be meant.
	Others Environment
	// DataWritable reports that /data is a volume, and that files can be made in
	// it.
	DataWritable bool
	// Fleeting says why what is written into a directory does not last, "" where it
	// does; nil: everything lasts.
	Fleeting func(dir string) string
	// Container reports that this process is in a container.
	Container bool
	// SystemRoots returns the certificates that LIVEKIT_CA_FILE adds to; nil for
	// none.
	SystemRoots func() *x509.CertPool
}

// Load reads the environment and the files that it names. Warnings are for the
// log, also when there is an error; the error joins every [Fault], and with it
// the Config holds nothing but how to log.
func Load() (Config, []Warning, error) {
	in, err := read()
	if err != nil {
		return Config{}, nil, err
	}
	c, warnings, err := Parse(in, readFile)
	return c, append(warnings, lintMode(c)...), err
}

// Inspect is [Load] for tools that look at a deployment instead of serving it:
// with an error the Config holds whatever has no fault, and zero values for
// the rest.
func Inspect() (Config, []Warning, error) {
	in, err := read()
	if err != nil {
		return Config{}, nil, err
	}
	c, warnings, err := parse(in, readFile)
	return c, append(warnings, lintMode(c)...), err
}

// LoadListen reads LIVEKIT_JWT_BIND or its port form alone: the health check
// must find the service whatever has become of other variables and files.
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

// readVariables has envconfig read the table. envconfig fills structs, so the
// table makes one, with a text for each variable: nothing of it can fail, and
// [Parse] judges. A default is not given to envconfig: it would make an unset
// variable look set, and LIVEKIT_JWT_BIND and LIVEKIT_JWT_PORT exclude each
// other.
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
