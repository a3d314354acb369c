package stack

import (
	"context"
	"time"
)

// Client is a participant in a separate process, which runs the program e2e/join.
type Client struct {
	Host    *Host
	Program string
	Name    string // the name of the client's log; "client" if empty

	process *process
}

// Start makes the client join the SFU. It returns the line that the client prints after
// joining.
func (c *Client) Start(ctx context.Context, sfu, token string) (string, error) {
	var err error
	c.process, err = start(ctx, c.Host, command{
		name: c.name(), program: c.Program, args: []string{sfu}, stdin: token,
	})
	if err != nil {
		return "", err
	}
	err = c.process.await(ctx, func() bool { return c.joined() != "" })
	return c.joined(), err
}

func (c *Client) joined() string { return c.process.log.Line("joined ") }

func (c *Client) name() string {
	if c.Name == "" {
		return "client"
	}
	return c.Name
}

// Stop makes the participant leave the room.
func (c *Client) Stop() error { return c.process.stop(ending{kill: 5 * time.Second}) }

// Exited returns a channel that is closed when a started client has ended.
func (c *Client) Exited() <-chan struct{} { return c.process.exited }

// Log returns the log of a started client.
func (c *Client) Log() Log { return c.process.log }
