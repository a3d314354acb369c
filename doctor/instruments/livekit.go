package instruments

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/livekit/protocol/logger"
	lksdk "github.com/livekit/server-sdk-go/v2"
	"github.com/pion/webrtc/v4"
)

const (
	// connectTime bounds how long the media of one participant may take to
	// connect.
	connectTime = 6 * time.Second
	watchEvery  = 50 * time.Millisecond
)

// quiet switches off the logs of the LiveKit SDK and of pion.
var quiet = sync.OnceFunc(func() { lksdk.SetLogger(logger.GetDiscardLogger()) })

// livekitParticipant is a [Participant] that joins with LiveKit's SDK.
type livekitParticipant struct {
	room   *lksdk.Room
	texts  chan Message
	tunnel *http.Server

	mu    sync.Mutex
	media Media
}

// joinLiveKit joins a room over WebRTC. The SDK cannot use --resolve and
// LIVEKIT_CA_FILE for its signalling connection. So that connection goes to a
// listener on loopback, which forwards it. Media does not go through the
// listener.
func (n *Network) joinLiveKit(ctx context.Context, address, token string) (Participant, error) {
	quiet()
	tunnel, local, err := n.openTunnel(address)
	if err != nil {
		return nil, err
	}
	p := &livekitParticipant{texts: make(chan Message, 64), tunnel: tunnel}
	p.room = lksdk.NewRoom(&lksdk.RoomCallback{ParticipantCallback: lksdk.ParticipantCallback{OnDataPacket: p.received}})
	watching, stop := context.WithCancel(ctx)
	var watched sync.WaitGroup
	watched.Go(func() { p.watch(watching) })
	err = p.room.JoinWithContextAndToken(ctx, local, token, lksdk.WithDisableRegionDiscovery(),
		lksdk.WithConnectTimeout(connectTime), lksdk.WithLogger(logger.GetDiscardLogger()))
	stop()
	watched.Wait()
	if err != nil {
		p.tunnel.Close()
		return nil, &JoinError{Media: p.media, Err: err}
	}
	return p, nil
}

// openTunnel listens on loopback, and forwards the participant's signalling
// connection to address.
func (n *Network) openTunnel(address string) (*http.Server, string, error) {
	target, err := url.Parse(address)
	if err != nil {
		return nil, "", err
	}
	target.Scheme = map[string]string{"wss": "https", "ws": "http"}[target.Scheme]
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = target.Scheme, target.Host, target.Host
		},
		Transport: n.client.Transport,
		ErrorLog:  silent,
	}
	server := &http.Server{Handler: proxy, ReadHeaderTimeout: connectTime, ErrorLog: silent}
	go func() { _ = server.Serve(listener) }()
	return server, "ws://" + listener.Addr().String() + strings.TrimRight(target.Path, "/"), nil
}

// watch records what the SFU says while the participant connects. If the
// connection fails, the SDK drops this information.
func (p *livekitParticipant) watch(ctx context.Context) {
	again := time.NewTicker(watchEvery)
	defer again.Stop()
	for {
		p.look()
		select {
		case <-again.C:
		case <-ctx.Done():
			return
		}
	}
}

// look copies to p.media what the SDK now knows about the ways of media and about
// LiveKit's ICE servers.
func (p *livekitParticipant) look() {
	pc := p.room.LocalParticipant.GetPublisherPeerConnection()
	if pc == nil || pc.RemoteDescription() == nil || pc.LocalDescription() == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if list := candidatesOf(pc); len(list) >= len(p.media.Candidates) {
		p.media.Candidates = list
	}
	theirs, ours := pc.RemoteDescription().SDP, pc.LocalDescription().SDP
	p.media.Username = attribute(theirs, "ice-ufrag") + ":" + attribute(ours, "ice-ufrag")
	p.media.Password = attribute(theirs, "ice-pwd")
	p.media.Servers = nil
	for _, s := range pc.GetConfiguration().ICEServers {
		password, _ := s.Credential.(string)
		p.media.Servers = append(p.media.Servers, ICEServer{URLs: s.URLs, Username: s.Username, Password: password})
	}
	if way := wayOf(pc); way != "" {
		p.media.Way = way
	}
}

// candidatesOf returns the addresses for media that the SFU has named.
func candidatesOf(pc *webrtc.PeerConnection) []Candidate {
	var list []Candidate
	for _, stats := range pc.GetStats() {
		c, ok := stats.(webrtc.ICECandidateStats)
		if !ok || c.Type != webrtc.StatsTypeRemoteCandidate {
			continue
		}
		addr, err := netip.ParseAddr(c.IP)
		// A peer-reflexive candidate is an address from which a packet came. The
		// SFU has not named it.
		if err == nil && c.CandidateType != webrtc.ICECandidateTypePrflx {
			list = append(list, Candidate{strings.ToLower(c.Protocol), netip.AddrPortFrom(addr.Unmap(), uint16(c.Port))})
		}
	}
	return list
}

// wayOf returns how media travels now: "udp", "tcp" or "relay"; "" if it does
// not travel.
func wayOf(pc *webrtc.PeerConnection) string {
	if pc.SCTP() == nil || pc.SCTP().Transport() == nil {
		return ""
	}
	pair, err := pc.SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	switch {
	case err != nil || pair == nil:
		return ""
	case pair.Local.Typ == webrtc.ICECandidateTypeRelay:
		return "relay"
	}
	return strings.ToLower(pair.Remote.Protocol.String())
}

// attribute returns the value of the first attribute of that name in a session
// description (SDP).
func attribute(sdp, name string) string {
	_, after, _ := strings.Cut(sdp, "a="+name+":")
	value, _, _ := strings.Cut(after, "\n")
	return strings.TrimSpace(value)
}

func (p *livekitParticipant) received(packet lksdk.DataPacket, from lksdk.DataReceiveParams) {
	if user, ok := packet.(*lksdk.UserDataPacket); ok {
		select {
		case p.texts <- Message{From: from.SenderIdentity, Text: string(user.Payload)}:
		default: // the channel is full: the reader needs only a few texts, so this one is dropped
		}
	}
}

func (p *livekitParticipant) Media() Media {
	p.look()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.media
}

func (p *livekitParticipant) Send(text string) error {
	return p.room.LocalParticipant.PublishDataPacket(lksdk.UserData([]byte(text)), lksdk.WithDataPublishReliable(true))
}

func (p *livekitParticipant) Received() <-chan Message { return p.texts }

func (p *livekitParticipant) Leave() {
	p.room.Disconnect()
	p.tunnel.Close()
}
