// Package participant is a participant of a call: it joins an SFU over WebRTC with an
// access token, and publishes and receives media and data.
package participant

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/livekit/protocol/livekit"
	"github.com/livekit/protocol/logger"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/pion/webrtc/v4"
)

// Participant is a participant in a room of an SFU.
type Participant struct {
	room   *lksdk.Room
	data   chan Data
	tracks chan Track
	left   chan struct{}
}

// Data is a packet of data that another participant sent to the room.
type Data struct {
	From string // the sender's identity
	Text string
}

// Track is a track of another participant in the room, from which the Participant has
// received media.
type Track struct {
	From string // the identity of the participant who publishes the track
	SID  string
}

// silence drops the logs of LiveKit's SDK and of pion.
var silence = sync.OnceFunc(func() { lksdk.SetLogger(logger.GetDiscardLogger()) })

// Join joins the room that the token names. It returns when the SFU has admitted the
// participant and there is a connection for media.
func Join(ctx context.Context, url, token string) (*Participant, error) {
	silence()
	useSignals()
	p := &Participant{data: make(chan Data, 16), tracks: make(chan Track, 16), left: make(chan struct{})}
	p.room = lksdk.NewRoom(&lksdk.RoomCallback{
		OnDisconnected: sync.OnceFunc(func() { close(p.left) }),
		ParticipantCallback: lksdk.ParticipantCallback{
			OnDataPacket:      p.received,
			OnTrackSubscribed: p.subscribed,
		},
	})
	// The client needs no STUN or TURN server, because all parts are on loopback.
	err := p.room.JoinWithContextAndToken(ctx, url, token,
		lksdk.WithDisableTURN(), lksdk.WithDisableRegionDiscovery(),
		lksdk.WithLogger(logger.GetDiscardLogger()))
	if err != nil {
		return nil, fmt.Errorf("joining %s: %w", url, err)
	}
	return p, nil
}

// Room returns the name of the room, as the SFU reports it.
func (p *Participant) Room() string { return p.room.Name() }

// Identity returns the identity that the SFU gave to the participant.
func (p *Participant) Identity() string { return p.room.LocalParticipant.Identity() }

// Others returns the number of other participants of whom this participant knows.
func (p *Participant) Others() int { return len(p.room.GetRemoteParticipants()) }

// SID returns the id that the SFU gave to this session of the participant.
func (p *Participant) SID() string { return p.room.LocalParticipant.SID() }

// CanPublish reports whether the SFU says that the participant may publish.
func (p *Participant) CanPublish() bool {
	return p.room.LocalParticipant.Permissions().GetCanPublish()
}

// Send sends a packet to all others in the room, reliably and in order. If the
// participant may not publish, the SFU drops the packet without an error.
func (p *Participant) Send(text string) error {
	return p.room.LocalParticipant.PublishDataPacket(lksdk.UserData([]byte(text)), lksdk.WithDataPublishReliable(true))
}

// PublishAudio publishes a silent audio track, and returns the id that the SFU gave to
// the track. If the participant may not publish, the SFU does not answer. PublishAudio
// then returns [ErrNotAccepted] after 10 s.
func (p *Participant) PublishAudio() (sid string, err error) {
	track, err := lksdk.NewLocalTrack(webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2,
	})
	if err != nil {
		return "", err
	}
	if err := track.StartWrite(lksdk.NewNullSampleProvider(32000), nil); err != nil {
		return "", err
	}
	publication, err := p.room.LocalParticipant.PublishTrack(track, &lksdk.TrackPublicationOptions{
		Name: "silence", Source: livekit.TrackSource_MICROPHONE,
	})
	if errors.Is(err, lksdk.ErrTrackPublishTimeout) {
		return "", ErrNotAccepted
	}
	if err != nil {
		return "", err
	}
	return publication.SID(), nil
}

// ErrNotAccepted says that the SFU has not accepted a track.
var ErrNotAccepted = errors.New("the SFU did not accept the track")

// Receive waits for the next packet from a different participant in the room.
func (p *Participant) Receive(ctx context.Context) (Data, error) { return next(ctx, p.data) }

// Hear waits for the next track of a different participant in the room. It returns when
// media of the track arrives.
func (p *Participant) Hear(ctx context.Context) (Track, error) { return next(ctx, p.tracks) }

func next[T any](ctx context.Context, c <-chan T) (T, error) {
	select {
	case v := <-c:
		return v, nil
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

// Left returns a channel that is closed when the participant has left the room,
// for any reason.
func (p *Participant) Left() <-chan struct{} { return p.left }

// Leave tells the SFU that the participant leaves the room. Leave returns after the
// time goodbye, so that the SFU can read this.
func (p *Participant) Leave() {
	p.room.Disconnect()
	time.Sleep(goodbye)
}

func (p *Participant) received(packet lksdk.DataPacket, from lksdk.DataReceiveParams) {
	if user, ok := packet.(*lksdk.UserDataPacket); ok {
		p.data <- Data{From: from.SenderIdentity, Text: string(user.Payload)}
	}
}

// subscribed waits for the first media packet of a track. Some tracks are announced and
// never send media, so an announced track does not count yet.
func (p *Participant) subscribed(track *webrtc.TrackRemote, publication *lksdk.RemoteTrackPublication, from *lksdk.RemoteParticipant) {
	if track.SetReadDeadline(time.Now().Add(10*time.Second)) != nil {
		return
	}
	if _, _, err := track.ReadRTP(); err == nil {
		p.tracks <- Track{From: from.Identity(), SID: publication.SID()}
	}
}
