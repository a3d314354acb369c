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

// Redis is the address of a Redis, and the credentials for it. Without a
// password there is no login.
type Redis struct {
	Address            string // host:port
	Username, Password string
	TLS                bool // Redis uses TLS: PingRedis only connects
}

const (
	// redisTime bounds an answer of Redis, which usually comes at once.
	redisTime = 2 * time.Second
	// maxRedisLine bounds the bytes of a line of its answer.
	maxRedisLine = 512
)

// PingRedis sends PING to a Redis. If Redis refuses, the error holds the text
// of Redis, which contains no password (RESP2, "Simple errors").
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

// commands returns the commands to send: the login, if there is a password, and
// PING.
func (r Redis) commands() (list [][]string) {
	switch {
	case r.Password != "" && r.Username != "":
		list = append(list, []string{"AUTH", r.Username, r.Password})
	case r.Password != "":
		list = append(list, []string{"AUTH", r.Password})
	}
	return append(list, []string{"PING"})
}

// array encodes a command in the protocol of Redis.
func array(words []string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		b.WriteString("$" + strconv.Itoa(len(w)) + "\r\n" + w + "\r\n")
	}
	return []byte(b.String())
}
