package stack

import "context"

// Other is a part that runs any program. It is for programs that have no type in this
// package.
type Other struct {
	Host      *Host
	Name      string // the name of the program's log
	Program   string
	Args, Env []string // the environment does not need PATH and HOME, because Start adds them
	Dir       string   // the directory in which the program runs
	// Ready reports whether the program is ready.
	Ready func(context.Context) bool

	process *process
}

// Start starts the program, and returns when the program is ready.
func (o *Other) Start(ctx context.Context) error {
	var err error
	o.process, err = start(ctx, o.Host, command{name: o.Name, program: o.Program, args: o.Args, env: o.Env, dir: o.Dir})
	if err != nil {
		return err
	}
	return o.process.await(ctx, func() bool { return o.Ready(ctx) })
}

// Kill ends the program immediately. If the program never started, Kill does nothing.
func (o *Other) Kill() {
	if o.process != nil {
		o.process.kill()
	}
}

// ID returns the process id of a started program.
func (o *Other) ID() int { return o.process.cmd.Process.Pid }

// Log returns the log of a started program.
func (o *Other) Log() Log { return o.process.log }

// Answers reports whether a GET of the URL gets the status 200.
func Answers(ctx context.Context, url string) bool { return answers(ctx, url) }

// Listens reports whether a program accepts connections at the address.
func Listens(ctx context.Context, address string) bool { return listens(ctx, address) }
