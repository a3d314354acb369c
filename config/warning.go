package config

import "errors"

// Fault says that one variable cannot be used as it is.
type Fault struct {
	Variable string
	Problem  string // with the remedy: one line, never a secret
}

func (f Fault) Error() string { return f.Variable + ": " + f.Problem }

// Faults returns the faults that an error of [Parse], [Load] or [Inspect]
// joins, in the order of [Variables].
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

// Lines returns the errors to print for an error of [Load] or [Inspect], one
// line each: every [Fault], or the error that prevented any check.
func Lines(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err != nil {
		return []error{err}
	}
	return nil
}

// Warning says that one variable can be used, but may be a mistake.
type Warning struct {
	Variable string
	Kind     Kind
	Text     string // with the remedy: one line, never a secret
}

// String returns the line for a log.
func (w Warning) String() string { return w.Variable + ": " + w.Text }

// Kind says what a [Warning] is about, for programs. Its text is for people.
type Kind string

// The kinds of warnings.
const (
	// Ignored: another variable overrides this one, or nothing uses it.
	Ignored Kind = "ignored"
	// UnknownName: the program does not read the variable, but it may be meant
	// for it.
	UnknownName Kind = "unknown_name"
	// ServiceLink: Kubernetes set the variable for a Service of that name.
	ServiceLink Kind = "service_link"
	// Quoted: quotation marks are part of the value.
	Quoted Kind = "quoted"
	// UnknownValue: the value is not a known one, and the default is used.
	UnknownValue Kind = "unknown_value"
	// NotServerName: an entry is no valid server name, and is dropped.
	NotServerName Kind = "not_server_name"
	// OddServerName: the name is valid, but hardly any server has such a name.
	OddServerName Kind = "odd_server_name"
	// Everyone: the list admits every server or every address.
	Everyone Kind = "everyone"
	// FormerService: the URL is that of Element's closed authorization service.
	FormerService Kind = "former_service"
	// WrongScheme: the URL does not start as clients expect.
	WrongScheme Kind = "wrong_scheme"
	// InsideOnly: clients get the URL, but only machines beside the SFU reach it.
	InsideOnly Kind = "inside_only"
	// OwnNetwork: clients get the URL, but only those in one network can resolve
	// it.
	OwnNetwork Kind = "own_network"
	// ClearText: clients get the URL, but browsers refuse one without TLS.
	ClearText Kind = "clear_text"
	// AddedPath: the URL ends in a path that callers append themselves.
	AddedPath Kind = "added_path"
	// ContainerAlone: nothing outside the container can connect to the address.
	ContainerAlone Kind = "container_alone"
	// WeakSecret: the secret is short, or published.
	WeakSecret Kind = "weak_secret"
	// OddKey: an API key or a secret is probably not what was meant.
	OddKey Kind = "odd_key"
	// Unverified: certificates are not checked.
	Unverified Kind = "unverified"
	// Registration: the application service's registration file has a fault.
	Registration Kind = "registration"
	// Removable: clients can remove the ticket that identifies them.
	Removable Kind = "removable"
	// Forgetful: delegated leaves are kept where they do not last, although nobody
	// asked for that.
	Forgetful Kind = "forgetful"
)
