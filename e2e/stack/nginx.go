package stack

import (
	"bytes"
	"context"
	_ "embed"
	"net"
	"os"
	"path/filepath"
	"slices"
	"text/template"
	"time"
)

// Nginx is the reverse proxy of a stack.
type Nginx struct {
	Host    *Host
	Program string
	Name    string // the name of nginx's files and log; "nginx" if empty
	// Servers is the content of the http block. Its servers must listen at nginx's
	// address and at the addresses in Inside.
	Servers string
	Inside  []string
	// Listen is nginx's address, if the test needs a certain address. If it is "", the
	// Host chooses one.
	Listen string

	address string
	process *process
}

//go:embed nginx.conf
var nginxConf string

var nginxTemplate = template.Must(template.New("nginx.conf").Parse(nginxConf))

// Start returns when nginx listens at all its addresses. After Stop, a new Start uses
// the same port.
func (n *Nginx) Start(ctx context.Context) error {
	if _, err := n.Address(); err != nil {
		return err
	}
	path, err := n.configure()
	if err != nil {
		return err
	}
	n.process, err = start(ctx, n.Host, command{
		name: n.name(), program: n.Program, args: []string{"-c", path, "-e", "stderr"}, binds: n.listening(),
	})
	if err != nil {
		return err
	}
	return n.process.await(ctx, func() bool {
		return !slices.ContainsFunc(n.listening(), func(address string) bool { return !listens(ctx, address) })
	})
}

func (n *Nginx) listening() []string { return append([]string{n.address}, n.Inside...) }

func (n *Nginx) name() string {
	if n.Name == "" {
		return "nginx"
	}
	return n.Name
}

// Address reserves nginx's address and returns it. The caller can put this address
// into the field Servers before Start.
func (n *Nginx) Address() (string, error) {
	if n.Listen != "" {
		n.address = n.Listen
	}
	if n.address != "" {
		return n.address, nil
	}
	var err error
	n.address, err = n.Host.Address()
	return n.address, err
}

func (n *Nginx) configure() (string, error) {
	var conf bytes.Buffer
	err := nginxTemplate.Execute(&conf, map[string]string{
		"Dir": n.Host.Dir, "Name": n.name(), "User": workers(), "Servers": n.Servers,
	})
	if err != nil {
		return "", err
	}
	return n.Host.WriteFile(n.name()+".conf", conf.Bytes())
}

// workers returns a setting of nginx if this process is root. With the setting, nginx's
// workers run as root, too. Without it, the workers could not read the files of the
// Host.
func workers() string {
	if os.Geteuid() == 0 {
		return "user root;"
	}
	return ""
}

// listens reports whether a program accepts connections at the address.
func listens(ctx context.Context, address string) bool {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// Stop ends nginx, and does not wait until open connections end.
func (n *Nginx) Stop() error { return n.process.stop(ending{kill: 5 * time.Second}) }

// Exited returns a channel that is closed when a started nginx has ended.
func (n *Nginx) Exited() <-chan struct{} { return n.process.exited }

// Log returns the log of a started nginx, without the access log.
func (n *Nginx) Log() Log { return n.process.log }

// AccessLog returns the access log, which has a line for each answered request.
func (n *Nginx) AccessLog() (string, error) {
	log, err := os.ReadFile(filepath.Join(n.Host.Dir, n.name()+"-access.log"))
	return string(log), err
}
