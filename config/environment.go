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

// Environment has the values of variables, by name. Any value may be a secret.
type Environment map[string]secret.Text

// Input is everything that [Parse] checks, except the content of the files
// that variables name.
type Input struct {
	// Environment has the variables that this program reads; see [Variables].
	Environment Environment
	// Others has variables that this program does not read, although they may
	// be meant for it.
	Others Environment
	// DataWritable says whether /data is a volume in which this process can
	// create files.
	DataWritable bool
	// Fleeting returns why a restart loses the files in a directory. It returns
	// "" if a restart keeps them. If Fleeting is nil, no files are lost.
	Fleeting func(dir string) string
	// Container says whether this process runs in a container.
	Container bool
	// SystemRoots returns the system's certificates, to which those of
	// LIVEKIT_CA_FILE are added. nil means that there are none.
	SystemRoots func() *x509.CertPool
}

// Load makes the Config from the environment and the files that it names. The
// caller logs the warnings, even if there is an error. The error joins every
// [Fault]. With an error, the Config has only the settings of the log.
func Load() (Config, []Warning, error) {
	in, err := read()
	if err != nil {
		return Config{}, nil, err
	}
	c, warnings, err := Parse(in, readFile)
	return c, append(warnings, lintMode(c)...), err
}

// Inspect is like [Load], for tools that inspect a deployment. If there is an
// error, the Config still has every value without a fault. A value with a fault
// is zero.
func Inspect() (Config, []Warning, error) {
	in, err := read()
	if err != nil {
		return Config{}, nil, err
	}
	c, warnings, err := parse(in, readFile)
	return c, append(warnings, lintMode(c)...), err
}

// LoadListen reads only LIVEKIT_JWT_BIND and LIVEKIT_JWT_PORT. With them the
// health check finds the service even if other variables or files are wrong.
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
		return Input{}, fmt.Errorf("the environment variables cannot be read: %w", err)
	}
	boxed := inContainer()
	return Input{
		Environment: env, Others: others(os.Environ()), SystemRoots: systemRoots,
		DataWritable: writable(dataDir) && mounted(dataDir), Container: boxed,
		Fleeting: func(dir string) string { return fleeting(dir, boxed) },
	}, nil
}

// readVariables reads the variables of the table with the library envconfig.
// envconfig fills structs, so readVariables makes a struct type with a text
// field for each variable. A text field accepts every value. readVariables
// tells envconfig no defaults, because [Parse] must know which variables are
// set. For example, LIVEKIT_JWT_BIND and LIVEKIT_JWT_PORT exclude each other.
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
