package doctor

import (
	"context"
	"slices"
	"strings"

	"matrixrtc-auth/doctor/engine"
)

// codec is a codec that LiveKit accepts in a room, in the form of LiveKit's API
// (livekit.Codec).
type codec struct {
	Mime string `json:"mime"`
}

// kinds are audio and video, each with the codecs that browsers send. A call
// needs at least one of the codecs of each kind.
var kinds = []struct {
	name   string
	codecs []string
}{
	{"sound", []string{"audio/opus"}},
	{"pictures", []string{"video/vp8", "video/h264", "video/vp9", "video/av1"}},
}

// codecs checks whether LiveKit accepts a usable audio codec and video codec in
// the room that doctor created.
func (e livekit) codecs(context.Context) engine.Finding {
	var taken []string
	for _, c := range e.room.codecs {
		taken = append(taken, strings.ToLower(clip(c.Mime)))
	}
	if len(taken) == 0 {
		return na("LiveKit does not say which codecs it takes")
	}
	seen := strings.Join(taken[:min(len(taken), maxCodecs)], ", ")
	for _, kind := range kinds {
		if !slices.ContainsFunc(kind.codecs, func(c string) bool { return slices.Contains(taken, c) }) {
			return found("sfu-codecs", engine.Vars{"kind": kind.name, "codec": kind.codecs[0]}, "LiveKit takes %s", seen)
		}
	}
	return ok("LiveKit takes %s", seen)
}

// maxCodecs bounds how many codecs the report shows.
const maxCodecs = 16
