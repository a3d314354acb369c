package first

import (
	"context"
	"crypto/sha1"
	"embed"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"matrixrtc-auth/leave"
)

//go:embed scripts/*.lua
var sources embed.FS

// script is a Lua script, and the hash by which Redis knows it.
type script struct{ source, hash string }

func load(names ...string) script {
	var source string
	for _, name := range names {
		text, err := sources.ReadFile("scripts/" + name + ".lua")
		if err != nil {
			panic(err) // this cannot happen, because the script is embedded in the program
		}
		source += string(text) + "\n"
	}
	sum := sha1.Sum([]byte(source))
	return script{source, hex.EncodeToString(sum[:])}
}

var (
	clockScript      = load("clock")
	setClockScript   = load("setclock")
	beginScript      = load("begin")
	getScript        = load("guard", "get")
	writeScript      = load("guard", "ledger", "write")
	asideScript      = load("guard", "ledger", "aside")
	claimScript      = load("guard", "claim")
	claimRoomsScript = load("guard", "claimrooms")
	roomScript       = load("guard", "room")
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
var errLate = errors.New("redisstore/first: Redis' clock was set twice within one call")

// call runs a script that begins with guard.lua. The answer of such a script begins
// with five texts that have the same meaning for all scripts (see reply). call returns
// the texts after these.
func (s *Store) call(ctx context.Context, sc script, args ...any) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.callTime)
	defer cancel()
	if err := s.meet(ctx); err != nil {
		return nil, err
	}
	// If a script answers "late" although its answer came in time, somebody has set the
	// clock of Redis. From that answer, the store has corrected its time. So a second
	// try is not late.
	for range 2 {
		e, err := s.life.expected(s.clock.ours.Now())
		if err != nil {
			return nil, err
		}
		r, err := s.run(ctx, sc, append([]any{s.limit(ctx), e.epoch, e.writes, e.wrote}, args...))
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

// limit returns a time by the store's time. After that time, a command that is sent now
// must change nothing. limit first reads the store's time, and then how much time ctx
// has left. If the goroutine is delayed between the two, the limit is too early, but
// never too late.
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

var errHead = errors.New("redisstore/first: the answer of a script does not begin as expected")

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

// run runs a script once. It compares the time in the script's answer with our clock
// (see heard).
func (s *Store) run(ctx context.Context, sc script, args []any) (reply, error) {
	sent := s.clock.ours.Now()
	texts, err := s.eval(ctx, sc, args).StringSlice()
	if err != nil {
		return reply{}, err
	}
	r, err := parseReply(texts)
	if err != nil {
		return reply{}, err
	}
	return r, s.heard(ctx, r.time, r.correction, sent)
}

// heard compares the store's time in an answer with our clock. If the store's time has
// jumped, heard calls correct, which undoes the jump.
func (s *Store) heard(ctx context.Context, time, correction int64, sent time.Time) error {
	v := s.clock.heard(time, correction, sent)
	switch {
	case v.jump != 0:
		return s.correct(ctx, v)
	case v.changed:
		s.log.Warn("redisstore/first: the clocks of Redis' host and of this host differ; the service allows for that, but set both by NTP",
			"store_ahead_by", v.difference)
	}
	return nil
}

// correct changes the number that is added to the clock of Redis, so that the
// store's time goes on as if it had not jumped. v describes the jump. Without the
// correction, all stored times would be wrong by the jump.
func (s *Store) correct(ctx context.Context, v verdict) error {
	s.log.Warn("redisstore/first: the clock of Redis' host was set, or another server has taken over; the service corrects the stored times by the difference", "by", v.jump)
	args := []any{s.limit(ctx), v.correction, v.correction - v.jump.Milliseconds()}
	done, err := s.eval(ctx, setClockScript, args).Text()
	if err != nil {
		return err
	}
	if done == "done" {
		s.clock.correct(v.correction)
	}
	return nil
}

// eval runs a script by its hash. If the server does not know the hash, eval sends the
// text of the script.
func (s *Store) eval(ctx context.Context, sc script, args []any) *redis.Cmd {
	cmd := s.send(ctx, "evalsha", sc.hash, args)
	if redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
		cmd = s.send(ctx, "eval", sc.source, args)
	}
	return cmd
}

func (s *Store) send(ctx context.Context, command, text string, args []any) *redis.Cmd {
	all := []any{command, text, len(s.keys)}
	for _, key := range s.keys {
		all = append(all, key)
	}
	cmd := redis.NewCmd(ctx, append(all, args...)...)
	_ = s.client.Process(ctx, cmd) // cmd holds the error
	return cmd
}
