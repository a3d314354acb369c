package config

import "errors"

// Fault is one variable that cannot be used as it is.
type Fault struct {
	Variable string
	Problem  string // and what would be right: one line, never a secret
}

func (f Fault) Error() string { return f.Variable + ": " + f.Problem }

// Faults returns those that an error of [Parse], [Load] or [Inspect] joins, in
// the order of [Variables].
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

// Lines takes an error of [Load] or [Inspect] apart into what is to be printed,
// one line each: every [Fault], or else what kept it from being judged at all.
func Lines(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err != nil {
		return []error{err}
	}
	return nil
}

// Warning is one variable that can be used, but may not say what is meant.
type Warning struct {
	Variable string
	Kind     Kind
	Text     string // and what would be right: one line, never a secret
}

// String returns the line for a log.
func (w Warning) String() string { return w.Variable + ": " + w.Text }

// Kind says what a [Warning] is about, for whoever acts on it: the text is for
// people alone.
type Kind string

// The kinds of warnings.
const (
	// Ignored: another variable wins over this one, or nothing uses it.
	Ignored Kind = "ignored"
	// UnknownName: the variable is not ours, but may be meant for this program.
	UnknownName Kind = "unknown_name"
	// ServiceLink: Kubernetes set the variable, for a Service of that name.
	ServiceLink Kind = "service_link"
	// Quoted: quotation marks are taken as part of the value.
	Quoted Kind = "quoted"
	// UnknownValue: the value means nothing, and the default holds.
	UnknownValue Kind = "unknown_value"
	// NotServerName: an entry cannot be a server name, and is dropped.
	NotServerName Kind = "not_server_name"
	// OddServerName: the grammar allows the name, but hardly any server has it.
	OddServerName Kind = "odd_server_name"
	// Everyone: the list lets every server or every address in.
	Everyone Kind = "everyone"
	// FormerService: the URL is that of Element's closed authorization service.
	FormerService Kind = "former_service"
	// WrongScheme: the URL does not start as clients expect.
	WrongScheme Kind = "wrong_scheme"
	// InsideOnly: clients get the URL, but only machines beside the SFU reach it.
	InsideOnly Kind = "inside_only"
	// OwnNetwork: clients get the URL, but only those in one network find it.
	OwnNetwork Kind = "own_network"
	// ClearText: clients get the URL, but browsers refuse one without TLS.
	ClearText Kind = "clear_text"
	// AddedPath: the URL ends in a path that does not belong to it, because whoever
	// calls adds it.
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
	// Removable: clients can take away by what the service knows them.
	Removable Kind = "removable"
	// Forgetful: delegated leaves are kept where they are lost, which nobody asked
	// for.
	Forgetful Kind = "forgetful"
)
