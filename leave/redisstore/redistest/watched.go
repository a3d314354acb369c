package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// Watched is a primary Redis server, its replica, and three Sentinels. If the primary
// has not answered for a second, the Sentinels promote the replica.
type Watched struct {
	Primary, Replica *Server
	Sentinels        []*Server

	user string // the user part of the Sentinels' URL, for example ":password@"; "" if they have no password
}

// Passwords are the passwords of the Redis servers and of the Sentinels. "" means that
// no password is needed.
type Passwords struct{ Redis, Sentinels string }

const masterName = "mymaster"

// StartWatched starts a Watched. Its two Redis servers get args in addition to the
// usual arguments.
func StartWatched(t testing.TB, passwords Passwords, args ...string) *Watched {
	t.Helper()
	if passwords.Redis != "" {
		args = append([]string{"--requirepass", passwords.Redis, "--masterauth", passwords.Redis}, args...)
	}
	w := &Watched{Primary: startAt(t, freePorts(t), args...)}
	_, port, _ := net.SplitHostPort(w.Primary.Addr)
	w.Replica = startAt(t, freePorts(t), append([]string{"--replicaof", "127.0.0.1 " + port, "--repl-diskless-sync-delay", "0"}, args...)...)
	w.Primary.password, w.Replica.password = passwords.Redis, passwords.Redis
	w.Replica.wait(t, said("master_link_status:up"))
	for range 3 {
		w.Sentinels = append(w.Sentinels, startSentinel(t, port, passwords))
	}
	for _, s := range w.Sentinels {
		s.wait(t, quorum)
	}
	if passwords.Sentinels != "" {
		w.user = ":" + passwords.Sentinels + "@"
	}
	return w
}

// URL returns the URL of the Sentinels. It does not contain the password of Redis.
func (w *Watched) URL() string {
	url := fmt.Sprintf("redis://%s%s/0?master_name=%s", w.user, w.Sentinels[0].Addr, masterName)
	for _, s := range w.Sentinels[1:] {
		url += "&addr=" + s.Addr
	}
	return url
}

// AwaitPromoted waits until the replica has become the primary and all Sentinels say
// this.
func (w *Watched) AwaitPromoted(t testing.TB) {
	t.Helper()
	w.Replica.wait(t, said("role:master"))
	_, port, _ := net.SplitHostPort(w.Replica.Addr)
	for _, s := range w.Sentinels {
		if s.frozen || s.ended() {
			continue
		}
		s.wait(t, func(ctx context.Context, c *redis.Client) error {
			told, err := c.Do(ctx, "sentinel", "get-master-addr-by-name", masterName).StringSlice()
			if err == nil && (len(told) != 2 || told[1] != port) {
				err = fmt.Errorf("the Sentinel %s names the primary %q, want the port %s", s.Addr, told, port)
			}
			return err
		})
	}
}

func startSentinel(t testing.TB, primary string, passwords Passwords) *Server {
	t.Helper()
	port := freePorts(t)
	s := newServer(t, port)
	lines := []string{
		"port " + strconv.Itoa(port), "bind 127.0.0.1", "dir " + s.Dir,
		"sentinel monitor " + masterName + " 127.0.0.1 " + primary + " 2",
		"sentinel down-after-milliseconds " + masterName + " 1000",
		"sentinel failover-timeout " + masterName + " 6000",
	}
	if passwords.Redis != "" {
		lines = append(lines, "sentinel auth-pass "+masterName+" "+passwords.Redis)
	}
	if passwords.Sentinels != "" {
		lines = append(lines, "requirepass "+passwords.Sentinels)
	}
	file := filepath.Join(s.Dir, "sentinel.conf")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.args, s.password = []string{file, "--sentinel"}, passwords.Sentinels
	s.start(t)
	t.Cleanup(s.Kill)
	return s
}

// quorum asks one Sentinel, to which c is connected. It returns an error unless this
// Sentinel knows the two other Sentinels and the replica.
func quorum(ctx context.Context, c *redis.Client) error {
	info, err := c.Info(ctx, "sentinel").Result()
	if err == nil && !strings.Contains(info, "status=ok,") || !strings.Contains(info, "slaves=1,sentinels=3") {
		err = errors.Join(err, errors.New(info))
	}
	return err
}

// said returns a function that can be passed to wait. This function returns an error
// until the server's answer to INFO replication contains line.
func said(line string) func(context.Context, *redis.Client) error {
	return func(ctx context.Context, c *redis.Client) error {
		info, err := c.Info(ctx, "replication").Result()
		if err == nil && !strings.Contains(info, line) {
			err = errors.New(info)
		}
		return err
	}
}
