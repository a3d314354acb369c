package service

import (
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"

	"matrixrtc-auth/config"
)

// openListener returns the socket that systemd passes to this process
// (sd_listen_fds(3)). If there is none, it listens on LIVEKIT_JWT_BIND.
// handedOver is true if the socket came from systemd, which keeps it open for
// the next process.
func (s *shared) openListener() (l net.Listener, handedOver bool, err error) {
	l, err = inherit(activation.Files(true))
	if err != nil || l == nil {
		if err == nil {
			l, err = listen(s.cfg.Listen)
		}
		return l, false, err
	}
	if !sameBind(s.cfg.Listen, l.Addr()) {
		s.log.Warn("listening on systemd's socket, but LIVEKIT_JWT_BIND names another address, where healthcheck and doctor look for the service; set LIVEKIT_JWT_BIND to the socket's address",
			"socket", addressOf(l), "LIVEKIT_JWT_BIND", s.cfg.Listen.String())
	}
	return l, true, nil
}

// inherit returns the socket in files, or nil if files is empty. Two sockets
// are an error. inherit closes all files.
func inherit(files []*os.File) (net.Listener, error) {
	defer func() {
		for _, f := range files {
			_ = f.Close() // the listener has a copy of the file descriptor
		}
	}()
	switch len(files) {
	case 0:
		return nil, nil
	case 1:
	default:
		return nil, fmt.Errorf("systemd hands over %d sockets; the socket unit must have one ListenStream", len(files))
	}
	l, err := net.FileListener(files[0])
	if err != nil {
		return nil, fmt.Errorf("the file that systemd hands over is not a listening socket (%w); the socket unit must have ListenStream and Accept=no", err)
	}
	if err := withSmallBuffers(l); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// withSmallBuffers bounds the kernel's buffers for connections of l, if l is a
// TCP listener. The function listen does the same for a listener that it makes.
func withSmallBuffers(l net.Listener) error {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil
	}
	c, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	return smallBuffers(c)
}

// sameBind reports whether a client that connects to bind reaches a listener on
// addr. A Unix socket must have the same path. A TCP listener must have the
// same port and address. The unspecified address (0.0.0.0 or ::) equals every
// address.
func sameBind(bind config.Bind, addr net.Addr) bool {
	if bind.Network != addr.Network() || bind.Network == "unix" {
		return bind == config.Bind{Network: addr.Network(), Address: addr.String()}
	}
	host, port, err := net.SplitHostPort(bind.Address)
	if err != nil {
		return false
	}
	there, ok := addr.(*net.TCPAddr)
	if !ok || port != fmt.Sprint(there.Port) {
		return false
	}
	ip := net.ParseIP(host)
	return host == "" || ip.IsUnspecified() || there.IP.IsUnspecified() || ip.Equal(there.IP)
}

// notify reports a state to systemd (sd_notify(3)). It does nothing if systemd
// did not start this process with Type=notify.
func (s *shared) notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		s.log.Warn("the state could not be reported to systemd", "state", state, "error", err)
	}
}
