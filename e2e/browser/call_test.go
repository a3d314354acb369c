package browser

import (
	"testing"
	"time"
)

// joining is how long two people may take on a busy machine until they see each other.
const joining = 90 * time.Second

// newRoom creates a Matrix room for a call, in which all these people are.
func newRoom(t *testing.T, encrypted bool, people ...*person) string {
	t.Helper()
	first, others := people[0], people[1:]
	ctx := within(t, starting)
	room, err := first.CreateCallRoom(ctx, encrypted)
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range others {
		if err := first.Invite(ctx, room, other.UserID); err != nil {
			t.Fatal(err)
		}
		if err := other.Join(ctx, room, first.stack.Layout.ServerName); err != nil {
			t.Fatal(err)
		}
	}
	return room
}

// sees waits until the person sees n moving videos, including their own. Then it waits
// until the person sends and receives video and audio.
func (p *person) sees(n int) {
	p.t.Helper()
	p.eventually(joining, p.name+" sees everybody", func() (bool, string) {
		tiles, err := p.tiles()
		return seen(moving(tiles) == n, tiles, err)
	})
	p.mediaGrows()
}

func moving(tiles []tile) (n int) {
	for _, tile := range tiles {
		if tile.Width > 2 && tile.Time > 0 {
			n++
		}
	}
	return n
}

// mediaGrows waits until each counter of the person's media has grown. If a closed
// connection makes counters fall, they must grow from the lower value.
func (p *person) mediaGrows() {
	p.t.Helper()
	before, err := p.media()
	if err != nil {
		p.t.Fatal(err)
	}
	p.eventually(joining, p.name+" hears and is heard", func() (bool, string) {
		now, err := p.media()
		if err == nil && before.anyAbove(now) {
			before = now
		}
		return seen(now.above(before), now, err)
	})
}

func (m media) above(before media) bool {
	return m.FramesDecoded > before.FramesDecoded && m.AudioReceived > before.AudioReceived &&
		m.FramesSent > before.FramesSent && m.AudioSent > before.AudioSent
}

func (m media) anyAbove(other media) bool {
	return m.FramesDecoded > other.FramesDecoded || m.AudioReceived > other.AudioReceived ||
		m.FramesSent > other.FramesSent || m.AudioSent > other.AudioSent
}
