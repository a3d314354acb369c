package redisstore

import (
	"context"
	"crypto/sha1"
	"embed"
	"encoding/hex"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"matrixrtc-auth/leave"
)

// callTime is how long one call of the store may take.
const callTime = time.Second

//go:embed scripts/*.lua
var sources embed.FS

// script is a function that returns a Lua script. It loads the text at its first call.
// Most services have no Redis, and all texts together take 70 KB of memory.
type script func() scriptText

// scriptText is a Lua script, and the hash by which Redis knows it.
type scriptText struct{ source, hash string }

func load(names ...string) script {
	return sync.OnceValue(func() scriptText {
		var source string
		for _, name := range names {
			text, err := sources.ReadFile("scripts/" + name + ".lua")
			if err != nil {
				panic(err) // this cannot happen, because the scripts are embedded in the program
			}
			source += string(text) + "\n"
		}
		sum := sha1.Sum([]byte(source))
		return scriptText{source, hex.EncodeToString(sum[:])}
	})
}

var (
	clockScript      = load("clock")
	setClockScript   = load("setclock")
	beginScript      = load("begin")
	getScript        = load("guard", "get")
	writeScript      = load("guard", "form", "record", "ledger", "write")
	asideScript      = load("guard", "record", "ledger", "aside")
	claimScript      = load("guard", "form", "claim")
	lendScript       = load("guard", "record", "lend")
	claimRoomsScript = load("guard", "claimrooms")
	roomScript       = load("guard", "record", "room")
	recordsScript    = load("guard", "records")
	scanScript       = load("guard", "scan")
	roomsScript      = load("guard", "rooms")
	countScript      = load("guard", "count")
)

// These are the first words of a script's answer. They say what happened.
const (
	statusOK        = "ok"
	statusLate      = "late"
	statusForgotten = "forgotten"
)

// errLate means that a script answered twice that its time limit had passed by the
// clock of Redis (statusLate), although both answers came in time.
var errLate = errors.New("redisstore: Redis' clock was set twice within one call")

// call runs a script that begins with guard.lua. The answer of such a script begins
// with five texts that have the same meaning for all scripts (see reply). call returns
// the texts after these.
func (s *Store) call(ctx context.Context, sc script, args ...any) ([]string, error) {
	return s.callOn(ctx, sc, nil, args...)
}

// callOn is like call, for a script that also needs the due times of jobs in the second
// record format. These due times are divided into numbered parts (see shards). The
// script gets the Redis keys of the parts whose numbers are in the argument parts.
func (s *Store) callOn(ctx context.Context, sc script, parts []int, args ...any) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.callTime)
	defer cancel()
	if err := s.meet(ctx); err != nil {
		return nil, err
	}
	// callOn tries twice. If the script says that it is late although its answer came in
	// time, somebody has set the clock of Redis. Then the first try has corrected the
	// store's time.
	for range 2 {
		e, err := s.life.expected(s.clock.ours.Now())
		if err != nil {
			return nil, err
		}
		r, err := s.run(ctx, sc, parts, append([]any{s.limit(ctx), e.epoch, e.writes, e.wrote}, args...))
		switch {
		case err != nil:
			return nil, err
		case r.status == statusOK:
			s.life.reached(e.epoch, r.writes, r.wrote, s.clock.ours.Now())
			return r.rest, nil
		case r.status == statusForgotten:
			s.life.end(e.epoch)
			return nil, leave.ErrForgotten
		}
	}
	return nil, errLate
}

// limit returns a time limit by the store's time. A command that is sent now must do
// nothing after this limit. limit first reads the store's time, and then how much time
// ctx has left. If the goroutine is delayed between the two, the limit is too early,
// but never too late.
func (s *Store) limit(ctx context.Context) int64 {
	now, wait := s.clock.now(), s.callTime
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline))
	}
	return now + wait.Milliseconds()
}

// reply is the parsed answer of a script.
type reply struct {
	status           string
	time, correction int64
	writes, wrote    uint64
	rest             []string
}

var errHead = errors.New("redisstore: the answer of a script does not begin as expected")

func parseReply(texts []string) (reply, error) {
	if len(texts) < 5 {
		return reply{}, errHead
	}
	at, err := strconv.ParseInt(texts[1], 10, 64)
	if err != nil {
		return reply{}, errHead
	}
	correction, err := strconv.ParseInt(texts[2], 10, 64)
	if err != nil {
		return reply{}, errHead
	}
	writes, err := strconv.ParseUint(texts[3], 10, 64)
	if err != nil {
		return reply{}, errHead
	}
	wrote, err := strconv.ParseUint(texts[4], 10, 64)
	if err != nil {
		return reply{}, errHead
	}
	return reply{texts[0], at, correction, writes, wrote, texts[5:]}, nil
}

// run runs a script once. The script's answer contains the store's time and the
// correction of Redis's clock. run passes both to s.heard, which compares the store's
// time with our clock.
func (s *Store) run(ctx context.Context, sc script, parts []int, args []any) (reply, error) {
	sent := s.clock.ours.Now()
	texts, err := s.eval(ctx, sc, parts, args).StringSlice()
	if err != nil {
		return reply{}, s.failed(err)
	}
	r, err := parseReply(texts)
	if err != nil {
		return reply{}, err
	}
	return r, s.heard(ctx, r.time, r.correction, sent)
}

// heard compares the store's time in an answer with our clock. If the store's time has
// jumped, heard corrects it.
func (s *Store) heard(ctx context.Context, time, correction int64, sent time.Time) error {
	v := s.clock.heard(time, correction, sent)
	switch {
	case v.jump != 0:
		return s.correct(ctx, v)
	case v.changed:
		s.log.Warn("redisstore: the clocks of Redis' host and of this host differ; the service allows for that, but set both by NTP",
			"store_ahead_by", v.difference)
	}
	return nil
}

// correct changes the number that is added to the clock of Redis, so that the
// store's time goes on as if it had not jumped. v describes the jump. Without the
// correction, all stored times would be wrong by the jump.
func (s *Store) correct(ctx context.Context, v verdict) error {
	s.log.Warn("redisstore: the clock of Redis' host was set, or another server has taken over; the service corrects the stored times by the difference", "by", v.jump)
	args := []any{s.limit(ctx), v.correction, v.correction - v.jump.Milliseconds()}
	done, err := s.eval(ctx, setClockScript, nil, args).Text()
	if err != nil {
		return s.failed(err)
	}
	if done == "done" {
		s.clock.correct(v.correction)
	}
	return nil
}

// eval runs a script by its hash. If Redis does not know the hash, eval sends the text
// of the script.
func (s *Store) eval(ctx context.Context, sc script, parts []int, args []any) *redis.Cmd {
	text := sc()
	cmd := s.send(ctx, "evalsha", text.hash, parts, args)
	if redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
		cmd = s.send(ctx, "eval", text.source, parts, args)
	}
	return cmd
}

func (s *Store) send(ctx context.Context, command, text string, parts []int, args []any) *redis.Cmd {
	all := []any{command, text, len(s.keys) + len(parts)}
	for _, key := range s.keys {
		all = append(all, key)
	}
	for _, n := range parts {
		all = append(all, s.partKey(n))
	}
	cmd := redis.NewCmd(ctx, append(all, args...)...)
	s.process(ctx, cmd)
	return cmd
}

// process sends a command once. After that, cmd holds the answer or the error.
func (s *Store) process(ctx context.Context, cmd *redis.Cmd) {
	if err := s.client.Process(ctx, once{cmd}); err != nil && !answered(err) {
		s.target.look(s.client)
	}
}

// answered reports whether err is the answer of a Redis server that is the primary.
func answered(err error) bool {
	_, ok := errors.AsType[redis.Error](err)
	return ok && !redis.HasErrorPrefix(err, "READONLY") && !redis.HasErrorPrefix(err, "CLUSTERDOWN")
}

// once is a command that the client must not repeat if the answer is lost.
type once struct{ *redis.Cmd }

// NoRetry tells go-redis not to repeat the command.
func (once) NoRetry() bool { return true }
