package config

import "errors"

// Fault says that the program cannot work with the value of a variable.
type Fault struct {
	Variable string
	Problem  string // what is wrong, and the remedy: one line, without secrets
}

func (f Fault) Error() string { return f.Variable + ": " + f.Problem }

// Faults returns the single faults in an error of [Parse], [Load] or
// [Inspect], in the order of [Variables].
func Faults(err error) []Fault {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	var list []Fault
	for _, e := range joined.Unwrap() {
		if f, isFault := errors.AsType[Fault](e); isFault {
			list = append(list, f)
		}
	}
	return list
}

// Lines splits an error of [Load] or [Inspect] into the errors to print, one
// in each line: every [Fault], or the one error that prevented all checks.
func Lines(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err != nil {
		return []error{err}
	}
	return nil
}

// Warning says that the program can work with the value of a variable, but
// that the value may be a mistake.
type Warning struct {
	Variable string
	Kind     Kind
	Text     string // what looks wrong, and the remedy: one line, without secrets
}

// String returns the warning as a line of the log.
func (w Warning) String() string { return w.Variable + ": " + w.Text }

// Kind says what a [Warning] is about, for programs. People read the warning's
// text instead.
type Kind string

// The kinds of warnings.
const (
	// Ignored means that the variable has no effect, because another one
	// overrides it or nothing uses it.
	Ignored Kind = "ignored"
	// UnknownName means that the program does not read the variable, although
	// somebody may have set it for this program.
	UnknownName Kind = "unknown_name"
	// ServiceLink means that Kubernetes has set the variable, because of the
	// name of a Service.
	ServiceLink Kind = "service_link"
	// Quoted means that quotation marks around the value are part of the value.
	Quoted Kind = "quoted"
	// UnknownValue means that the program does not know the value, and uses the
	// default.
	UnknownValue Kind = "unknown_value"
	// NotServerName means that an entry is no valid server name, and has no
	// effect.
	NotServerName Kind = "not_server_name"
	// OddServerName means that a server name is valid, but hardly any server
	// has such a name.
	OddServerName Kind = "odd_server_name"
	// Everyone means that the list admits every server or every address.
	Everyone Kind = "everyone"
	// FormerService means that the URL is that of Element's authorization
	// service, which does not serve other homeservers.
	FormerService Kind = "former_service"
	// WrongScheme means that the URL begins with http:// or https:// where
	// clients expect ws:// or wss://.
	WrongScheme Kind = "wrong_scheme"
	// InsideOnly means that clients get the URL, but its host is a private
	// address, or a name that only containers or one network know.
	InsideOnly Kind = "inside_only"
	// OwnNetwork means that clients get the URL, but its host name ends in
	// .local, .lan or the like, which only one network can resolve.
	OwnNetwork Kind = "own_network"
	// ClearText means that clients get the URL, but it has no TLS. On a page
	// with https:// browsers refuse such URLs.
	ClearText Kind = "clear_text"
	// AddedPath means that the URL ends in a path that callers append
	// themselves.
	AddedPath Kind = "added_path"
	// ContainerAlone means that nothing outside the container can connect to
	// the address on which the service listens.
	ContainerAlone Kind = "container_alone"
	// WeakSecret means that the secret is short, or is publicly known.
	WeakSecret Kind = "weak_secret"
	// OddKey means that a part of the API key or of the secret is probably a
	// mistake.
	OddKey Kind = "odd_key"
	// Unverified means that the service does not check certificates.
	Unverified Kind = "unverified"
	// Registration means that an entry or the mode of the application service's
	// registration file looks wrong.
	Registration Kind = "registration"
	// Removable means that clients can remove the ticket by which the guard
	// recognizes them.
	Removable Kind = "removable"
	// Forgetful means that a restart loses the delegated leaves, although the
	// operator did not ask for that.
	Forgetful Kind = "forgetful"
)
