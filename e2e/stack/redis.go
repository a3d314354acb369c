package stack

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Redis is a Redis server that writes each change to its disk immediately.
type Redis struct {
	Host    *Host
	Program string
	Name    string // the name of its directory and log; "redis" if empty

	address string
	process *process
}

// Start returns when Redis listens. After Stop, a new Start uses the same port and
// data.
func (r *Redis) Start(ctx context.Context) error {
	if _, err := r.Address(); err != nil {
		return err
	}
	directory := r.directory()
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return err
	}
	host, port := splitAddress(r.address)
	var err error
	r.process, err = start(ctx, r.Host, command{name: r.name(), program: r.Program, dir: directory, binds: []string{r.address}, args: []string{
		"--bind", host, "--port", strconv.Itoa(port),
		"--save", "", "--appendonly", "yes", "--appendfsync", "always",
	}})
	if err != nil {
		return err
	}
	return r.process.await(ctx, func() bool { return listens(ctx, r.address) })
}

func (r *Redis) directory() string { return filepath.Join(r.Host.Dir, r.name()) }

func (r *Redis) name() string {
	if r.Name == "" {
		return "redis"
	}
	return r.Name
}

// Address reserves the address of Redis and returns it. Other parts can use the address
// in their configuration before Redis starts.
func (r *Redis) Address() (string, error) {
	if r.address != "" {
		return r.address, nil
	}
	var err error
	r.address, err = r.Host.Address()
	return r.address, err
}

// URL returns the URL of Redis in the form of LIVEKIT_REDIS_URL.
func (r *Redis) URL() string { return "redis://" + r.address + "/0" }

// Flush removes all data from Redis.
func (r *Redis) Flush(ctx context.Context) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", r.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	if _, err := io.WriteString(conn, "FLUSHALL\r\n"); err != nil {
		return err
	}
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && answer != "+OK\r\n" {
		err = fmt.Errorf("Redis answered FLUSHALL with %q, want +OK", answer)
	}
	return err
}

// Save copies the files of Redis to the directory with this name below the Host's
// directory.
func (r *Redis) Save(name string) error {
	return os.CopyFS(filepath.Join(r.Host.Dir, name), os.DirFS(r.directory()))
}

// Restore gives a stopped Redis the files that Save copied under this name. If name is
// empty, Redis loses its files.
func (r *Redis) Restore(name string) error {
	if err := os.RemoveAll(r.directory()); err != nil || name == "" {
		return err
	}
	return os.CopyFS(r.directory(), os.DirFS(filepath.Join(r.Host.Dir, name)))
}

// Stop ends Redis. It returns an error if Redis ends with an error, or does not end in
// time.
func (r *Redis) Stop() error { return r.process.stop(ending{kill: 5 * time.Second}) }

// Exited returns a channel that is closed when a started Redis has ended.
func (r *Redis) Exited() <-chan struct{} { return r.process.exited }

// Log returns the log of a started Redis.
func (r *Redis) Log() Log { return r.process.log }
