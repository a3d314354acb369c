package breakages

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"matrixrtc-auth/e2e/stack"
)

// redis is the state of the Redis in a deployment. The value "" means that no Redis
// runs.
type redis string

// These are the states of a Redis. In the state cannotSave, Redis cannot save its data,
// so it refuses writes. In the state follows, Redis is a replica of another Redis, and
// also refuses writes.
const (
	works         redis = "works"
	cannotSave    redis = "cannot save"
	wantsPassword redis = "wants a password"
	follows       redis = "follows"
)

// options returns the options of redis-server that bring Redis into the state r.
func (r redis) options() []string {
	switch r {
	case wantsPassword:
		return []string{"--requirepass", "the password of this Redis"}
	case follows:
		return []string{"--replicaof", "127.0.0.1 6399"}
	}
	return nil
}

const redisAddress = "127.0.0.1:6379"

func startRedis(ctx context.Context, w *world, d deployment) (*stack.Other, error) {
	dir := filepath.Join(w.host.Dir, "redis")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	o, err := w.run(ctx, &stack.Other{
		Name: "redis", Program: w.programs.Redis, Args: append([]string{"--save", "3600 1", "--dir", dir, "--bind", "127.0.0.1"}, d.redis.options()...), Ready: listening(redisAddress),
	})
	if err != nil || d.redis != cannotSave {
		return o, err
	}
	if err := os.RemoveAll(dir); err != nil {
		return o, err
	}
	return o, failToSave(ctx)
}

// failToSave tells Redis to save its data. Redis must fail to save, and must then
// refuse writes. failToSave returns when Redis refuses a write.
func failToSave(ctx context.Context) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", redisAddress)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	answers := bufio.NewReader(conn)
	if _, err := fmt.Fprint(conn, "BGSAVE\r\n"); err != nil {
		return err
	}
	for {
		if _, err := fmt.Fprint(conn, "SET probe 1\r\n"); err != nil {
			return err
		}
		line, err := answers.ReadString('\n')
		if err != nil {
			return errors.Join(err, ctx.Err())
		}
		if strings.HasPrefix(line, "-MISCONF") {
			return nil
		}
	}
}
