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

// Redis is the address of a Redis, with the credentials for it. If there is no
// password, doctor does not log in.
type Redis struct {
	Address            string // the address as host:port
	Username, Password string
	TLS                bool // whether Redis uses TLS; if so, PingRedis only connects, and sends no command
}

const (
	// redisTime bounds the wait for an answer of Redis, which usually comes
	// immediately.
	redisTime = 2 * time.Second
	// maxRedisLine bounds the bytes of one line of Redis' answer.
	maxRedisLine = 512
)

// PingRedis sends PING to a Redis. If Redis answers with an error, the
// returned error has the text of Redis, which contains no password (RESP2,
// "Simple errors").
func (n *Network) PingRedis(ctx context.Context, r Redis) error {
	conn, err := n.DialHost(ctx, "tcp", r.Address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if r.TLS {
		return nil
	}
	if err := conn.SetDeadline(time.Now().Add(n.Limit(redisTime))); err != nil {
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

// commands returns the commands to send: the login if there is a password, and
// then PING.
func (r Redis) commands() (list [][]string) {
	switch {
	case r.Password != "" && r.Username != "":
		list = append(list, []string{"AUTH", r.Username, r.Password})
	case r.Password != "":
		list = append(list, []string{"AUTH", r.Password})
	}
	return append(list, []string{"PING"})
}

// array encodes a command as an array of Redis' protocol.
func array(words []string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, w := range words {
		b.WriteString("$" + strconv.Itoa(len(w)) + "\r\n" + w + "\r\n")
	}
	return []byte(b.String())
}
