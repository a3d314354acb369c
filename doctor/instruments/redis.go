package instruments

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Redis is where a Redis is, and who asks it. Without a password nobody logs in.
type Redis struct {
	Address            string // host:port
	Username, Password string
	TLS                bool // then nothing but the connection is tried
}

const (
	// redisTime is how long Redis may take to answer: it does so at once.
	redisTime = 2 * time.Second
	// maxRedisLine bounds a line of its answers, in bytes.
	maxRedisLine = 512
)

// PingRedis asks a Redis for a sign of life. What it refuses is an error in its own
// words, which repeat no password (RESP2, "Simple errors").
func (n *Network) PingRedis(ctx context.Context, r Redis) error {
	conn, err := n.DialHost(ctx, "tcp", r.Address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if r.TLS {
		return nil
	}
	if err := conn.SetDeadline(time.Now().Add(n.patiently(redisTime))); err != nil {
		return err
	}
	lines := bufio.NewReaderSize(conn, maxRedisLine)
	for _, command := range r.commands() {
		if _, err := conn.Write(array(command)); err != nil {
			return err
		}
		line, err := lines.ReadSlice('\n')
		if err != nil {
			return err
		}
		if text, refused := strings.CutPrefix(string(line), "-"); refused {
			return errors.New(Clip(strings.TrimSpace(text)))
		}
	}
	return nil
}

// commands log in, if there is a password, and ask for a sign of life.
func (r Redis) commands() (list [][]string) {
	switch {
	case r.Password != "" && r.Username != "":
		list = append(list, []string{"AUTH", r.Username, r.Password})
	case r.Password != "":
		list = append(list, []string{"AUTH", r.Password})
	}
	return append(list, []string{"PING"})
}

// array is a command as Redis reads it.
func array(words []string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		b.WriteString("$" + strconv.Itoa(len(w)) + "\r\n" + w + "\r\n")
	}
	return []byte(b.String())
}
