package guard

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"matrixrtc-auth/internal/timing"
	"matrixrtc-auth/matrix"
)

// question asks the homeserver whether some users are joined to a Matrix room.
// The field at is the earliest time at which the guard may ask the question.
// When the guard asks it, at becomes the time of the question.
type question struct {
	room  matrix.RoomID
	users []matrix.UserID
	at    time.Time
}

// persons returns the persons that the question is about.
func (q question) persons() (all []person) {
	for _, user := range q.users {
		all = append(all, person{q.room, user})
	}
	return all
}

// again prepares questions that the homeserver answered "no", so that the guard
// asks them a second time. Each question becomes due 2 s (the constant apart) after
// the guard first asked it. again changes the slice itself, and returns it.
func again(refused []question) []question {
	for i := range refused {
		refused[i].at = refused[i].at.Add(apart)
	}
	return refused
}

// questions returns the questions about persons. If Rooms is set, there is one
// question for each room, else one for each person.
func (g *Guard) questions(persons []person) (all []question) {
	at := map[matrix.RoomID]int{} // for each room, the index of its question in the result
	for _, p := range persons {
		if i, known := at[p.room]; known && g.Rooms != nil {
			all[i].users = append(all[i].users, p.user)
			continue
		}
		at[p.room] = len(all)
		all = append(all, question{room: p.room, users: []matrix.UserID{p.user}})
	}
	return all
}

// chunks splits list into parts of at least chunk persons each; only the last part
// may have fewer. It never splits a question.
func chunks(list []question) iter.Seq[[]question] {
	return func(yield func([]question) bool) {
		begin, persons := 0, 0
		for i, q := range list {
			persons += len(q.users)
			if persons < chunk && i+1 < len(list) {
				continue
			}
			if !yield(list[begin : i+1]) {
				return
			}
			begin, persons = i+1, 0
		}
	}
}

// answers are the answers to some questions. joined is how many persons are
// joined. unseen is how many are in rooms that the Matrix account of this
// service is not in. refused holds the persons who are not joined, in the order
// in which the guard asked about them.
type answers struct {
	joined, unseen int
	refused        []question
	// silent says that there were several questions, about at least 32 persons
	// (silence) together, and that the homeserver answered none of them.
	silent bool
}

// askEach asks the questions, several at the same time, but at no higher rate
// than the pacer of sweeps allows (see spacing).
func (g *Guard) askEach(ctx context.Context, questions []question) (a answers) {
	unanswered, heard := 0, 0 // unanswered counts persons, heard counts questions
	var mu sync.Mutex
	each(ctx, questions, func(q question) {
		timing.Sleep(ctx, time.Until(q.at))
		g.pace.wait(ctx)
		q.at = time.Now()
		joined, err := g.askAbout(ctx, q)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			heard++
			a.take(q, joined)
		case errors.Is(err, matrix.ErrNotInRoom):
			heard++
			a.unseen += len(q.users)
		default:
			unanswered += len(q.users)
		}
	})
	a.silent = heard == 0 && len(questions) > 1 && unanswered >= silence
	slices.SortFunc(a.refused, func(one, two question) int { return one.at.Compare(two.at) })
	return a
}

// take adds joined, which is the answer to the question q, to the answers in a.
func (a *answers) take(q question, joined []bool) {
	var refused []matrix.UserID
	for i, is := range joined {
		if is {
			a.joined++
			continue
		}
		refused = append(refused, q.users[i])
	}
	if len(refused) > 0 {
		a.refused = append(a.refused, question{q.room, refused, q.at})
	}
}

// askAbout asks the question q. joined is nil if the homeserver does not
// answer.
func (g *Guard) askAbout(ctx context.Context, q question) (joined []bool, err error) {
	if g.Rooms == nil {
		is, err := g.ask(ctx, person{q.room, q.users[0]})
		if err != nil {
			return nil, err
		}
		return []bool{is}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	joined, err = g.Rooms.AreJoinedNow(ctx, q.room, q.users)
	for i := range q.users {
		g.counts.asked(err == nil && joined[i], err)
	}
	if err != nil {
		g.Log.Debug("membership: the homeserver did not say whether somebody is joined", "users", len(q.users), "err", err)
		return nil, err
	}
	return joined, nil
}

// ask asks the homeserver whether p is joined.
func (g *Guard) ask(ctx context.Context, p person) (joined bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	joined, err = g.Members.IsJoinedNow(ctx, p.room, p.user)
	g.counts.asked(joined, err)
	if err != nil {
		g.Log.Debug("membership: the homeserver did not say whether somebody is joined", "user", p.user.String(), "err", err)
		return false, err
	}
	return joined, nil
}
