package setup

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// edit replaces the content of a file, as a person does with an editor. If the
// new content lacks a line that the person wrote before, the person has removed
// that line.
func (m *history) edit(name, content string) {
	m.write(name, content)
	m.lines = slices.DeleteFunc(m.lines, func(l line) bool { return l.file == name && !strings.Contains(content, l.text) })
}

// history.some returns the name of a random file in the folder. It never
// returns a backup, a temporary file or the file of checksums.
func (m *history) some() string {
	names := slices.DeleteFunc(m.list(), func(name string) bool {
		return strings.Contains(name, backupSuffix) || half().MatchString(name) || name == sumsFile
	})
	return names[m.random.IntN(len(names))]
}

// addLine adds a line to a file, at a random place.
func (m *history) addLine() {
	name := m.some()
	m.marks++
	text := fmt.Sprintf("# own line %d", m.marks)
	if name == envFile && m.random.IntN(2) == 0 {
		text = fmt.Sprintf("OWN_%d=value # and why", m.marks)
	}
	lines := splitLines(m.read(name))
	lines = slices.Insert(lines, m.random.IntN(len(lines)+1), text+"\n")
	m.tell("%q is added to %s", text, name)
	m.edit(name, strings.Join(lines, ""))
	m.lines = append(m.lines, line{name, text + "\n"})
}

// changeValue changes a value in a line that setup wrote into .env.
func (m *history) changeValue() {
	names := []string{"LIVEKIT_URL", "LIVEKIT_CLIENT_ADDRESS", "LIVEKIT_CS_API_URL_OVERRIDES"}
	name := names[m.random.IntN(len(names))]
	lines := splitLines(m.read(envFile))
	i := envGrammar.find(lines, name)
	if i < 0 {
		return
	}
	m.marks++
	text := fmt.Sprintf("%s=wss://own-%d.example.org", name, m.marks)
	if m.random.IntN(4) == 0 {
		text = "# " + name
	}
	lines[i] = text + "\n"
	m.tell(".env: %s", text)
	m.edit(envFile, strings.Join(lines, ""))
	m.lines = append(m.lines, line{envFile, text + "\n"})
}

var jwtPortLine = regexp.MustCompile(`(?m)^jwt-port: \d+$`)

// changeAnswer changes an answer in answers.yaml.
func (m *history) changeAnswer() {
	if m.remembered() == nil || !jwtPortLine.MatchString(m.read(answersFile)) {
		return
	}
	port := fmt.Sprint(8100 + m.random.IntN(5))
	m.tell("%s: jwt-port: %s", answersFile, port)
	m.edit(answersFile, jwtPortLine.ReplaceAllString(m.read(answersFile), "jwt-port: "+port))
	m.answers["jwt-port"] = port
}

// damage removes a random file of the folder, or cuts off its end. Files with
// secrets stay as they are.
func (m *history) damage() {
	name := m.some()
	if m.random.IntN(6) == 0 && slices.Contains(m.list(), sumsFile) {
		name = sumsFile
	}
	if name == envFile || name == registrationFile {
		return // loseSecret damages the files with secrets
	}
	m.doubtful = m.doubtful || name == answersFile
	content := m.read(name)
	if m.random.IntN(2) == 0 {
		m.tell("%s is removed", name)
		m.edit(name, "")
		m.remove(name)
		return
	}
	end := m.random.IntN(len(content) + 1)
	m.tell("%s keeps only its first %d bytes", name, end)
	m.edit(name, content[:end])
}

// repair removes answersFile if it is damaged, as setup's message tells the
// person to do.
func (m *history) repair() {
	if m.remembered() == nil && slices.Contains(m.list(), answersFile) {
		m.tell("%s, which is damaged, is removed", answersFile)
		m.edit(answersFile, "")
		m.remove(answersFile)
	}
}

// takeOver does what a person does with setup's proposals: it replaces each file
// that has a .new file beside it by that .new file.
func (m *history) takeOver() {
	for _, name := range m.list() {
		old, found := strings.CutSuffix(name, newSuffix)
		if !found {
			continue
		}
		m.tell("%s is moved over %s", name, old)
		content := m.read(name)
		m.edit(name, "")
		m.remove(name)
		m.edit(old, content)
		return
	}
}

// loseSecret removes a file with a secret, or cuts off its end. It checks that
// setup then refuses to run, and puts the file back.
func (m *history) loseSecret() {
	name := envFile
	if m.answers["appservice"] == "true" && m.random.IntN(2) == 0 && slices.Contains(m.list(), registrationFile) {
		name = registrationFile
	}
	whole := m.read(name)
	if m.random.IntN(2) == 0 {
		m.tell("%s is removed for a run", name)
		m.remove(name)
	} else {
		at := strings.Index(whole, "LIVEKIT_SECRET=") + strings.Index(whole, "hs_token: ") + 1 // the file has one of the two texts; the index of the other is -1
		end := at + m.random.IntN(70)
		m.tell("%s keeps only its first %d bytes for a run", name, end)
		m.write(name, whole[:end])
	}
	before := m.snapshot()
	if code := m.execute([]string{"--yes"}, nil); code == exitOK {
		m.fatalf("without its secret in %s, setup goes on", name)
	}
	m.unchanged(before, "a run that was refused")
	if err := os.WriteFile(m.path(name), []byte(whole), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// says is a choice of options, with the answers that the folder must have after
// a run with these options. An empty answer means that setup removes the answer.
type says struct {
	flags   string
	answers string
}

var sayings = []says{
	{"--turn", "turn=true"}, {"--turn=false", "turn=false"},
	{"--appservice", "appservice=true"}, {"--appservice=false", "appservice=false appservice-url="},
	{"--jwt-port 8090", "jwt-port=8090"}, {"--jwt-port 8091", "jwt-port=8091"},
	{"--udp-range 21000-21100", "udp-range=21000-21100"},
	{"--base-url https://matrix.example.org", "base-url=https://matrix.example.org"}, {"--base-url none", "base-url="},
	{"--homeserver-url http://synapse:8008", "homeserver-url=http://synapse:8008"}, {"--homeserver-url none", "homeserver-url="},
	{"--single-host m.example.org", "single-host=m.example.org jwt-host= sfu-host="},
	{"--jwt-host a.example.org --sfu-host b.example.org", "single-host= jwt-host=a.example.org sfu-host=b.example.org"},
	{"--sfu-host livekit.example.org", "single-host= sfu-host=livekit.example.org"},
	{"--turn-tls turn.example.org", "turn-tls=turn.example.org"}, {"--turn-tls none", "turn-tls="},
	{"--image a/b:1", "image=a/b:1"}, {"--image none", "image="},
	{"--appservice-url http://c:1", "appservice-url=http://c:1"}, {"--appservice-url none", "appservice-url="},
	{"--yes", ""}, {"--force", ""}, {"--new-secrets", ""},
}

// choose picks random options, and returns the answers that setup must then
// have. No two options are about the same answer.
func (m *history) choose() (flags []string, want map[string]string) {
	want = maps.Clone(m.answers)
	spoken := map[string]bool{}
	for range m.random.IntN(4) {
		s := sayings[m.random.IntN(len(sayings))]
		changes := strings.Fields(s.answers)
		if slices.ContainsFunc(append(changes, s.flags), func(c string) bool { n, _, _ := strings.Cut(c, "="); return spoken[n] }) {
			continue
		}
		flags = append(flags, strings.Fields(s.flags)...)
		for _, c := range append(changes, s.flags) {
			name, value, _ := strings.Cut(c, "=")
			spoken[name] = true
			switch {
			case strings.HasPrefix(name, "--"):
			case value == "":
				delete(want, name)
			default:
				want[name] = value
			}
		}
	}
	return flags, want
}

// runFrom runs setup with --from and the files of another deployment. setup
// must refuse them if their secret or host name differs from the folder's.
func (m *history) runFrom() {
	if m.doubtful || m.remembered() == nil {
		return
	}
	host, secret := m.answers["sfu-host"], m.secret
	if host == "" {
		host = m.answers["single-host"] + sfuPrefix
	}
	differs := true
	switch m.random.IntN(4) {
	case 0:
		secret = strings.Repeat("5e", 32)
	case 1:
		host = "other." + host
	default:
		differs = false
	}
	old := put(m.t, map[string]string{"jwt.env": fmt.Sprintf("LIVEKIT_URL=wss://%s\nLIVEKIT_KEY=%s\nLIVEKIT_SECRET=%s\nLIVEKIT_LOG_LEVEL=debug\n", host, m.env()["LIVEKIT_KEY"], secret)})
	before := m.snapshot()
	code := m.execute([]string{"--from", old}, nil)
	m.checkLines()
	m.checkSecret(false)
	if differs && code == exitOK {
		m.fatalf("the files of --from contradict the folder, but setup does not refuse them")
	}
	if code != exitOK {
		m.unchanged(before, "a run that was refused")
		return
	}
	m.checkAnswers(m.answers)
	m.checkReport(before)
}
