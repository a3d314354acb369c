package config

import (
	"errors"
	"fmt"
	"slices"
)

// Fault is one variable that cannot be used as it is.
type Fault struct {
	Variable string
	Problem  string // and what would be right; never a secret
}

func (f Fault) Error() string { return f.Variable + ": " + f.Problem }

// Parse judges the whole input. It has no effect but the calls of readFile.
// The error joins every [Fault]; with an error the Config holds nothing but how
// to log. Warnings start with the variable's name, too; neither they nor the
// error hold a secret.
func Parse(in Input, readFile func(name string) ([]byte, error)) (Config, []string, error) {
	c, warnings, err := parse(in, readFile)
	if err != nil {
		return Config{LogLevel: c.LogLevel, LogJSON: c.LogJSON}, warnings, err
	}
	return c, warnings, nil
}

// parse is Parse, but with an error the Config holds whatever has no fault.
func parse(in Input, readFile func(name string) ([]byte, error)) (Config, []string, error) {
	in.describe()
	j := &judge{readFile: readFile, files: map[string]string{}}
	c := Config{
		LivekitURL: in.URL.get(),
		APIURL:     j.apiURL(in.URL, in.InternalURL),
		Keys:       j.keys(in.Environment),

		FullAccess:           j.fullAccess(in.FullAccess, in.LocalHomeservers),
		RemoteCanPublish:     j.servers(in.RemoteCanPublish),
		CanUpdateOwnMetadata: j.boolean(in.CanUpdateOwnMetadata),
		TokenTTL:             j.tokenTTL(in.TokenTTL),

		OpenIDTimeout:         j.openIDTimeout(in.OpenIDTimeout),
		FederationURLs:        j.overrides(in.FederationURLs),
		ClientURLs:            j.overrides(in.ClientURLs),
		AllowedNetworks:       j.networks(in.AllowedNetworks),
		RootCAs:               j.rootCAs(in.CAFile, in.SystemRoots),
		InsecureSkipVerifyTLS: j.skipVerifyTLS(in.InsecureSkipVerifyTLS),

		Listen:         j.listen(in.Environment),
		Metrics:        j.metrics(in.MetricsBind),
		TrustedProxies: j.trustedProxies(in.TrustedProxies),
		ClientAddress:  j.clientAddress(in.ClientAddress),
		RateLimit:      j.rateLimit(in.RateLimit),
		ShutdownDelay:  j.shutdownDelay(in.ShutdownDelay),
		LogLevel:       j.logLevel(in.LogLevel),
		LogJSON:        j.logJSON(in.LogFormat),

		Delegation:          j.delegation(in.Delegation),
		MaxJobs:             j.maxJobs(in.MaxJobs),
		MaxJobsPerUser:      j.maxJobs(in.MaxJobsPerUser),
		ReconnectGrace:      j.reconnectGrace(in.ReconnectGrace),
		DelayedEventRate:    j.delayedEventRate(in.DelayedEventRate),
		SanityCheckInterval: j.sanityCheckInterval(in.SanityCheckInterval),

		AppService: j.appService(in.Environment),
	}
	c.Store = j.store(in, c.Delegation)
	j.distinct(c.Listen, c.Metrics, in.MetricsBind)
	j.quotationMarks(in.values())
	j.misspelt(in.Others)
	c.files = j.files
	return c, j.warnings, j.err()
}

// judge collects what is wrong with the variables. Its methods return a zero
// value after a fault, so that the next variable is judged, too.
type judge struct {
	readFile func(string) ([]byte, error)
	files    map[string]string // variable → path that was read
	warnings []string
	faults   []error
}

func (j *judge) fault(v Value, format string, args ...any) {
	fault := Fault{v.name, fmt.Sprintf(format, args...)}
	if !slices.Contains(j.faults, error(fault)) {
		j.faults = append(j.faults, fault)
	}
}

func (j *judge) warn(v Value, format string, args ...any) {
	warning := v.name + ": " + fmt.Sprintf(format, args...)
	if !slices.Contains(j.warnings, warning) {
		j.warnings = append(j.warnings, warning)
	}
}

// err joins the faults; nil when there are none.
func (j *judge) err() error { return errors.Join(j.faults...) }

// ignore warns of every loser that is set although winner decides.
func (j *judge) ignore(winner Value, losers ...Value) {
	for _, v := range losers {
		if v.isSet() {
			j.warn(v, "ignored, because %s is set and wins; remove one of the two", winner.name)
		}
	}
}

// newest returns the value under the new name when that is set, else under
// the old one.
func (j *judge) newest(current, old Value) Value {
	if current.isSet() || !old.isSet() {
		j.ignore(current, old)
		return current
	}
	return old
}
