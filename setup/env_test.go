package setup

import (
	"slices"
	"strings"
	"testing"
)

// TestEnvIsJoined checks how setup merges an edited .env. A person's lines, the
// comments and the order stay. setup changes its own lines in place.
func TestEnvIsJoined(t *testing.T) {
	l := newLab(t)
	l.run(exitOK)
	secret := l.env()["LIVEKIT_SECRET"]
	mine := "# mine\r\nLIVEKIT_LOG_LEVEL=debug # loud\n" +
		"export LIVEKIT_URL=\"wss://sfu.example.org\"  # where it is\n" +
		"LIVEKIT_FULL_ACCESS_HOMESERVERS = example.org\n" +
		"LIVEKIT_KEY=matrixrtc\nLIVEKIT_SECRET=" + secret + "\n" +
		"#LIVEKIT_CLIENT_ADDRESS=x-real-ip\nREDIS=x"
	l.write(envFile, mine)
	l.only(exitOK, "--sfu-host", "livekit.example.org", "--homeserver-url", "http://synapse:8008")
	want := strings.Replace(mine, `"wss://sfu.example.org"`, "wss://livekit.example.org", 1)
	got := l.read(envFile)
	if !strings.HasPrefix(got, want+"\n") {
		t.Errorf(".env: got\n%s\nwant it to begin with\n%s", got, want)
	}
	if rest := strings.TrimPrefix(got, want); !strings.Contains(rest, "\nLIVEKIT_CS_API_URL_OVERRIDES=example.org=http://synapse:8008\n") || strings.Count(rest, "# Leave these two empty") != 1 {
		t.Errorf("what was added: got\n%s\nwant the override, and \"# Leave these two empty\" once", rest)
	}
	for _, words := range []string{"changed: LIVEKIT_URL", "changed: LIVEKIT_FEDERATION_URL_OVERRIDES", "yours: LIVEKIT_CLIENT_ADDRESS"} {
		l.says(l.out, words)
	}
	if slices.Contains(l.list(), ".env.new") || strings.Contains(l.out+l.err, secret) {
		t.Errorf("got the files %q and the text below, want no .env.new and no secret:\n%s%s", l.list(), l.out, l.err)
	}
	before := l.snapshot()
	l.only(exitOK, "--yes")
	l.unchanged(before)
	l.only(exitOK, "--homeserver-url", "none")
	if got := l.env(); got["LIVEKIT_CS_API_URL_OVERRIDES"] != "" || got["LIVEKIT_LOG_LEVEL"] != "debug" {
		t.Errorf("switched off: got the values %v, want no override, and the level debug", got)
	}
}

// TestNewSecretInEditedEnv checks that --new-secrets also replaces the secret
// in a .env that a person edited. The person's lines stay.
func TestNewSecretInEditedEnv(t *testing.T) {
	l := newLab(t)
	l.run(exitOK)
	old := l.env()["LIVEKIT_SECRET"]
	l.write(envFile, l.read(envFile)+"LIVEKIT_LOG_LEVEL=debug\n")
	l.only(exitOK, "--new-secrets")
	l.says(l.out, "changed: LIVEKIT_SECRET")
	got := l.env()
	if len(got["LIVEKIT_SECRET"]) != 64 || got["LIVEKIT_SECRET"] == old || got["LIVEKIT_LOG_LEVEL"] != "debug" {
		t.Errorf("got a secret of %d characters and the level %q, want a new one of 64, and debug", len(got["LIVEKIT_SECRET"]), got["LIVEKIT_LOG_LEVEL"])
	}
	if strings.Contains(l.out+l.err+l.read(sumsFile), got["LIVEKIT_SECRET"]) || strings.Contains(l.read(sumsFile), "LIVEKIT_SECRET") {
		t.Error("the output or the sums contain the secret, or a sum of it alone, want neither")
	}
}

// TestConflict checks a line of .env that a person has changed, and that setup
// must change because of a new answer. The person's line stays until somebody
// decides.
func TestConflict(t *testing.T) {
	edited := func(t *testing.T) *lab {
		l := newLab(t)
		l.run(exitOK)
		l.write(envFile, strings.Replace(l.read(envFile), "wss://sfu.example.org", "wss://mine.example.org", 1))
		l.only(exitOK, "--turn")
		l.says(l.out, "yours: LIVEKIT_URL") // no new answer changes this line
		return l
	}
	t.Run("named", func(t *testing.T) {
		l := edited(t)
		for _, flags := range [][]string{{"--sfu-host", "livekit.example.org"}, {"--yes"}} {
			l.only(exitOK, flags...)
			l.says(l.out, "! yours stays: LIVEKIT_URL")
			if strings.Contains(l.out, "mine.example.org") {
				t.Errorf("a person's value is printed: got %s, want no mine.example.org in it", l.out)
			}
		}
		l.only(exitOK, "--force")
		if got := l.env()["LIVEKIT_URL"]; got != "wss://livekit.example.org" || !strings.Contains(l.read(".env.bak"), "mine.example.org") {
			t.Errorf("by force: got the value %q, want wss://livekit.example.org, and the old one in .env.bak", got)
		}
	})
	t.Run("settled by hand", func(t *testing.T) {
		l := edited(t)
		l.only(exitOK, "--sfu-host", "livekit.example.org")
		l.write(envFile, strings.Replace(l.read(envFile), "wss://mine.example.org", "wss://livekit.example.org", 1))
		l.only(exitOK, "--yes")
		if strings.Contains(l.out, "yours stays") {
			t.Errorf("got the text below, want no conflict in it:\n%s", l.out)
		}
	})
	for answer, want := range map[string]string{"y": "wss://livekit.example.org", "n": "wss://mine.example.org"} {
		t.Run("asked, "+answer, func(t *testing.T) {
			l := edited(t)
			said := l.talkOf(exitOK, []string{answer}, "--sfu-host", "livekit.example.org")
			l.says(said, "somebody changed LIVEKIT_URL", "wss://livekit.example.org")
			if got := l.env()["LIVEKIT_URL"]; got != want {
				t.Errorf("LIVEKIT_URL: got %q, want %q", got, want)
			}
			if said := l.talkOf(exitOK, nil, "--turn=false"); strings.Contains(said, "somebody changed") {
				t.Errorf("setup asks again, want that it does not:\n%s", said)
			}
		})
	}
}

// TestGoneSecrets checks that setup stops if a secret that setup once wrote is
// missing now. It must not silently make a new secret.
func TestGoneSecrets(t *testing.T) {
	for name, spoil := range map[string]func(l *lab) string{
		"the file": func(l *lab) string { l.remove(envFile); return ".env is gone" },
		"the line": func(l *lab) string {
			l.write(envFile, strings.ReplaceAll(l.read(envFile), "LIVEKIT_SECRET=", "# "))
			return "LIVEKIT_SECRET is gone"
		},
		"half of it": func(l *lab) string {
			text := l.read(envFile)
			l.write(envFile, text[:strings.Index(text, "LIVEKIT_SECRET=")+30]+"\n")
			return "LIVEKIT_SECRET is shorter"
		},
		"the end of it": func(l *lab) string {
			text := l.read(envFile)
			l.write(envFile, text[:strings.Index(text, "LIVEKIT_SECRET=")+55])
			return ".env ends without a line break after LIVEKIT_SECRET"
		},
		"the end of the registration": func(l *lab) string {
			text := l.read(registrationFile)
			l.write(registrationFile, text[:strings.Index(text, "hs_token: ")+50])
			return "is incomplete"
		},
		"a token": func(l *lab) string {
			text := l.read(registrationFile)
			l.write(registrationFile, strings.Replace(text, "hs_token: ", "# ", 1))
			return "a token"
		},
		"the registration": func(l *lab) string { l.remove(registrationFile); return registrationFile + " is gone" },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.run(exitOK, "--appservice")
			says := spoil(l)
			before := l.snapshot()
			l.only(exitFaults, "--turn")
			l.says(l.err, says, "--new-secrets")
			l.unchanged(before)
			l.only(exitOK, "--new-secrets", "--force")
			if len(l.env()["LIVEKIT_SECRET"]) != 64 {
				t.Errorf("LIVEKIT_SECRET: got %d characters, want a new one of 64", len(l.env()["LIVEKIT_SECRET"]))
			}
		})
	}
}

// TestOwnLinesInAnswers checks that a run keeps comments in answers.yaml, and
// lines that this version does not know.
func TestOwnLinesInAnswers(t *testing.T) {
	l := newLab(t)
	l.run(exitOK)
	mine := "# mine\n" + strings.Replace(l.read(answersFile), "jwt-port: 8080", "jwt-port: 8090  # 8080 is taken", 1) + "colour: blue\n"
	l.write(answersFile, mine)
	l.only(exitOK, "--turn", "--homeserver-url", "http://a:1")
	l.says(l.err, "note:", "colour", "no option")
	want := strings.Replace(mine, "turn: false", "turn: true", 1) + "homeserver-url: http://a:1\n"
	if got := l.read(answersFile); got != want {
		t.Errorf("%s: got\n%s\nwant\n%s", answersFile, got, want)
	}
	if !strings.Contains(l.read("compose.yaml"), `"127.0.0.1:8090:8080/tcp"`) {
		t.Error("compose.yaml: got another port than 127.0.0.1:8090, want that one, because the edited value is the answer")
	}
	l.only(exitOK, "--homeserver-url", "none")
	if got := l.read(answersFile); got != strings.TrimSuffix(want, "homeserver-url: http://a:1\n") {
		t.Errorf("switched off: got the file\n%s\nwant it without homeserver-url", got)
	}
	l.write(answersFile, strings.Replace(l.read(answersFile), "jwt-port: 8090  #", "jwt-port: |\n  8090\n#", 1))
	before := l.snapshot()
	l.only(exitFaults, "--jwt-port", "8091")
	l.says(l.err, answersFile, "more than one line")
	l.unchanged(before)
}

// TestEditsWithoutNews checks that setup writes no NAME.new beside an edited
// file if it has nothing new for the file. A NAME.new that a person has removed
// does not come back.
func TestEditsWithoutNews(t *testing.T) {
	l := newLab(t)
	l.run(exitOK)
	edited := l.read("compose.yaml") + "# mine\n"
	l.write("compose.yaml", edited)
	l.only(exitOK, "--homeserver-url", "http://synapse:8008")
	l.says(l.out, "compose.yaml", "yours")
	const proposal = "compose.yaml.new"
	if slices.Contains(l.list(), proposal) {
		t.Errorf("got the file %s, want none without news", proposal)
	}
	for range 2 {
		l.only(exitOK, "--jwt-port", "8090")
		l.says(l.out, "compose.yaml", "kept")
	}
	l.remove(proposal)
	l.only(exitOK, "--yes")
	l.says(l.out, "compose.yaml", "yours")
	if slices.Contains(l.list(), proposal) {
		t.Errorf("got the file %s, want none, because a person has removed it", proposal)
	}
	l.only(exitOK, "--jwt-port", "8091")
	l.says(l.out, "compose.yaml", "kept")
	if l.read("compose.yaml") != edited {
		t.Errorf("compose.yaml: got %q, want the edited one, %q", l.read("compose.yaml"), edited)
	}

	l.remove(proposal) // as if a run was killed before it wrote the new file
	l.write(sumsFile, underWay+l.read(sumsFile))
	l.only(exitOK, "--yes")
	l.says(l.out, "compose.yaml", "kept")
}

// TestConflictWithoutSums checks that setup still finds a conflict in .env if
// the file with the checksums is gone.
func TestConflictWithoutSums(t *testing.T) {
	l := newLab(t)
	l.run(exitOK)
	l.write(envFile, strings.Replace(l.read(envFile), "wss://sfu.example.org", "wss://mine.example.org", 1))
	l.remove(sumsFile)
	for _, flags := range [][]string{{"--sfu-host", "livekit.example.org"}, {"--yes"}} {
		l.only(exitOK, flags...)
		l.says(l.out, "! yours stays: LIVEKIT_URL")
	}
}

// TestNewTokensInEditedRegistration checks --new-secrets with a registration
// that a person edited. Without --force setup refuses to run. With --force it
// writes the new tokens.
func TestNewTokensInEditedRegistration(t *testing.T) {
	l := newLab(t)
	l.run(exitOK, "--appservice")
	l.write(registrationFile, l.read(registrationFile)+"# mine\n")
	before := l.snapshot()
	l.only(exitFaults, "--new-secrets")
	l.says(l.err, registrationFile, "was edited", "--force")
	l.unchanged(before)
	l.only(exitOK, "--new-secrets", "--force")
	l.only(exitOK, "--yes")
	l.says(l.out, "Nothing has changed.")
}
