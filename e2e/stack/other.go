package stack

import "context"

// Other is a part of no kind of its own: any program.
type Other struct {
	Host      *Host
	Name      string // of its log
	Program   string
	Args, Env []string // Env adds to PATH and HOME
	Dir       string   // to run in
	// Ready reports whether it does its work.
	Ready func(context.Context) bool

	process *process
}

// Start returns once the program is ready.
func (o *Other) Start(ctx context.Context) error {
	var err error
	o.process, err = start(ctx, o.Host, command{name: o.Name, program: o.Program, args: o.Args, env: o.Env, dir: o.Dir})
	if err != nil {
		return err
	}
	return o.process.await(ctx, func() bool { return o.Ready(ctx) })
}

// Kill ends it at once. One that was never started, or has ended, stays so.
func (o *Other) Kill() {
	if o.process != nil {
		o.process.kill()
	}
}

// ID is that of the process of a program that was started.
func (o *Other) ID() int { return o.process.cmd.Process.Pid }

// Log is what a started program has written.
func (o *Other) Log() Log { return o.process.log }

// Answers reports whether a GET of the URL is answered with 200.
func Answers(ctx context.Context, url string) bool { return answers(ctx, url) }

// Listens reports whether somebody accepts connections at the address.
func Listens(ctx context.Context, address string) bool { return listens(ctx, address) }
