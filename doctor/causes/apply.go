package causes

import (
	"regexp"
	"slices"
	"strings"

	"matrixrtc-auth/internal/pattern"
)

// change is a change of the configuration, after which the operator must run a
// command.
type change struct {
	asked func() *regexp.Regexp // matches remedies that ask for the change
	said  []string              // a remedy that contains one of these texts says itself what to do after the change
	then  string                // Markdown that can follow the word "after"; it names the change, and the command to run then
}

var changes = []change{
	{pattern.New(`LIVEKIT_[A-Z]|\bcompose\.yaml`), []string{"up -d", "container again", ".env", "o change is", "SIGHUP"},
		"a change in `.env` or `compose.yaml`, run `docker compose up -d`"},
	{pattern.New(`\blivekit\.yaml|\b(rtc|room|redis|webhook|turn)\.([a-z]+_|domain)`), []string{"start LiveKit", "up -d", "o change is", "chmod 644", "mount "},
		"a change in `livekit.yaml`, run `docker compose restart livekit`"},
	{pattern.New(`\bhomeserver\.yaml|\bIn Synapse`), []string{"restart Synapse"}, "a change in `homeserver.yaml`, run `docker compose restart synapse`"},
}

// after returns Markdown that says what to do after the changes that a remedy
// asks for. It returns "" if nothing is to be done, or if the remedy itself
// says what to do.
func after(remedy string) string {
	var list []string
	for _, c := range changes {
		if c.asked().MatchString(remedy) && !slices.ContainsFunc(c.said, func(text string) bool { return strings.Contains(remedy, text) }) {
			list = append(list, c.then)
		}
	}
	return strings.Join(list, "; after ")
}
