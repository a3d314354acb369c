package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"

	"matrixrtc-auth/doctor/engine"
	"matrixrtc-auth/doctor/instruments"
	"matrixrtc-auth/internal/livekitfile"
	"matrixrtc-auth/sfu"

	"github.com/livekit/protocol/auth"
	"go.yaml.in/yaml/v3"
)

// defaultLiveKitYAML is where compose.yaml mounts LiveKit's configuration in
// this service's container.
const defaultLiveKitYAML = "/etc/livekit.yaml"

// livekitConfig is the part of livekit.yaml that the checks read.
type livekitConfig struct {
	Port        uint16
	Development bool
	RTC         struct {
		UDPPort       any      `yaml:"udp_port"`
		TCPPort       *int     `yaml:"tcp_port"`
		First         int      `yaml:"port_range_start"`
		Last          int      `yaml:"port_range_end"`
		NodeIP        any      `yaml:"node_ip"`
		UseExternalIP bool     `yaml:"use_external_ip"`
		STUNServers   []string `yaml:"stun_servers"`
		TURNServers   []struct {
			SecretFile string `yaml:"secret_file"`
		} `yaml:"turn_servers"`
	} `yaml:"rtc"`
	Room struct {
		AutoCreate *bool `yaml:"auto_create"`
	}
	Limit struct {
		MaxAttributesSize *int `yaml:"max_attributes_size"`
	}
	TURN struct {
		Enabled     bool
		Domain      string
		CertFile    string `yaml:"cert_file"`
		KeyFile     string `yaml:"key_file"`
		TLSPort     int    `yaml:"tls_port"`
		UDPPort     int    `yaml:"udp_port"`
		ExternalTLS bool   `yaml:"external_tls"`
		RelayFirst  int    `yaml:"relay_range_start"`
		RelayLast   int    `yaml:"relay_range_end"`
	} `yaml:"turn"`
	Webhook struct {
		APIKey string   `yaml:"api_key"`
		URLs   []string `yaml:"urls"`
	}
	Redis struct {
		Address            string
		Username, Password string
		UseTLS             bool `yaml:"use_tls"`
		TLS                struct{ Enabled bool }
	}
	Keys    map[string]string
	KeyFile string `yaml:"key_file"`

	keyFile keyFile
}

// livekitFile has the checks of LiveKit's configuration files.
type livekitFile struct{ *exam }

func (e livekitFile) steps() []engine.Step {
	const file = "livekit.file"
	return []engine.Step{
		{ID: file, Run: func(context.Context) engine.Finding { return e.readLiveKit(&e.livekit) }},
		{ID: "livekit.keys", Needs: file, Run: e.effectiveKeys},
		{ID: "livekit.webhook", Needs: file, Run: e.about(e.judgeWebhook)},
		{ID: "livekit.ports", Needs: file, Run: e.about(judgePorts)},
		{ID: "livekit.udp_range", Needs: file, Run: e.about(e.judgeRange)},
		{ID: "livekit.turn", Needs: file, Run: e.about(judgeTURN)},
		{ID: "livekit.auto_create", Needs: file, Run: e.about(judgeAutoCreate)},
		{ID: "livekit.attributes", Needs: file, Run: e.about(judgeAttributes)},
		{ID: "livekit.redis", Needs: file, Run: e.redis},
		{ID: "livekit.external_ip", Needs: file, Run: e.externalIP},
	}
}

// about returns a check that calls judge with the content of livekit.yaml.
func (e livekitFile) about(judge func(*livekitConfig) engine.Finding) func(context.Context) engine.Finding {
	return func(context.Context) engine.Finding { return judge(&e.livekit) }
}

func (e livekitFile) readLiveKit(c *livekitConfig) engine.Finding {
	name := e.o.LiveKitYAML
	if name == "" {
		name = defaultLiveKitYAML
	}
	text, err := e.look.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return found("livekit-file-closed", nil, "%s cannot be read: permission denied", clip(name))
	case errors.Is(err, fs.ErrNotExist) && e.o.LiveKitYAML == "":
		return na("there is no %s here; --livekit-yaml names it", name)
	case errors.Is(err, syscall.EISDIR):
		return found("livekit-folder", nil, "%s is a folder", clip(name))
	case err != nil:
		return found("livekit-file", nil, "%s cannot be read: %s", clip(name), whyUnread(err))
	}
	var document map[string]any
	if err := yaml.Unmarshal(text, &document); err != nil {
		return found("livekit-yaml", nil, "%s: %s", name, lineOf(err))
	}
	if unknown := livekitfile.Unknown(document); len(unknown) > 0 {
		key := clip(unknown[0])
		return found("livekit-key-unknown", engine.Vars{"setting": key}, "%s has the setting %s, which LiveKit does not know there", name, key)
	}
	var read livekitConfig // what the parser could read before it failed
	if err := yaml.Unmarshal(text, &read); err != nil {
		c.Keys = read.Keys // so that redact removes these secrets from the report
		return found("livekit-yaml", nil, "%s: a setting has a value of the wrong kind (%s)", name, lineOf(err))
	}
	read.complete()
	read.keyFile = e.look.readKeyFile(read.KeyFile)
	*c = read
	return ok("%s: LiveKit knows all of its settings", name)
}

// whyUnread says why a file cannot be read. It does not name the file.
func whyUnread(err error) string {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = at.Err
	}
	return clip(err.Error())
}

// lineOf returns the line number in a YAML error. It leaves out the error's
// text, which may contain a secret.
func lineOf(err error) string {
	_, after, _ := strings.Cut(err.Error(), "line ")
	var line int
	if _, err := fmt.Sscanf(after, "%d", &line); err != nil {
		return "it is not YAML"
	}
	return "line " + strconv.Itoa(line)
}

// judgeKeys checks that LiveKit's files contain each API key of this service,
// with the same secret. It also checks the files' modes, the length of the
// secrets, and the key of the webhooks.
func (e livekitFile) judgeKeys(c *livekitConfig) engine.Finding {
	if f := e.judgeModes(c); f.Cause != nil {
		return f
	}
	if c.keyFile.fault != "" {
		return found("livekit-key-file", engine.Vars{"file": clip(c.keyFile.name)}, "key_file in livekit.yaml, %s: %s", clip(c.keyFile.name), c.keyFile.fault)
	}
	keys, where := c.effectiveKeys()
	ours := map[string]bool{}
	for _, key := range e.look.Config.Keys {
		ours[key.ID] = true
		if theirs, there := keys[key.ID]; there && strings.TrimSpace(theirs) != key.Secret.Reveal() {
			return found("livekit-secret", engine.Vars{"key": key.ID}, "in %s the secret of the key %s differs", clip(where), key.ID)
		}
		if len(keys) > 0 && keys[key.ID] == "" {
			return found("livekit-key-missing", engine.Vars{"key": key.ID}, "the keys in %s lack %s", clip(where), key.ID)
		}
	}
	for id, secret := range keys {
		if len(secret) < sfu.ShortestSecret {
			return found("livekit-secret-short", engine.Vars{"key": e.keyName(id)}, "the secret of %s has %d characters", e.keyName(id), len(secret))
		}
	}
	hook := c.Webhook.APIKey
	if len(ours) > 0 && hook != "" && !ours[hook] || len(keys) > 0 && hook != "" && keys[hook] == "" {
		return found("livekit-webhook-key", engine.Vars{"hook": e.keyName(hook)}, "webhook.api_key is %s, which is not a key of both", e.keyName(hook))
	}
	if c.keyFile.unread != "" {
		return na("key_file in livekit.yaml, %s, cannot be read here: %s", clip(c.keyFile.name), c.keyFile.unread)
	}
	return ok("LiveKit and this service share a key")
}

// effectiveKeys returns a finding if the keys in LiveKit's files differ from the
// keys of this service. But if LiveKit's API accepts this service's key, the
// difference is only a warning. LiveKit then probably ignores the keys in its
// files, because its environment sets LIVEKIT_KEYS. Doctor cannot see LiveKit's
// environment.
func (e livekitFile) effectiveKeys(ctx context.Context) engine.Finding {
	f := e.judgeKeys(&e.livekit)
	if f.Cause == nil || f.Cause.ID != "livekit-secret" && f.Cause.ID != "livekit-key-missing" || !e.acceptsKey(ctx) {
		return f
	}
	return found("livekit-keys-replaced", f.Vars, "%s, but LiveKit accepts ours", f.Seen)
}

// acceptsKey reports whether LiveKit's API accepts this service's key.
func (e *exam) acceptsKey(ctx context.Context) bool {
	if e.look.Config.APIURL == nil || len(e.look.Config.Keys) == 0 {
		return false
	}
	r, err := e.twirp(ctx, e.apiURL(), "ListRooms", &auth.VideoGrant{RoomList: true}, `{"names":["doctor"]}`)
	return err == nil && r.Status == http.StatusOK && strings.HasPrefix(r.Header.Get("Content-Type"), "application/json")
}

// webhookFault says why webhooks that LiveKit sends to address do not arrive at
// this service; "" if it sees no reason.
func (e livekitFile) webhookFault(address string) string {
	u, err := url.Parse(address)
	api := e.look.Config.APIURL
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "the address does not begin with http:// or https://"
	case isLoopback(u.Hostname()) && api != nil && !isLoopback(api.Hostname()) && api.Hostname() != "host.docker.internal":
		return "this address is LiveKit's own container"
	}
	return ""
}

// isLoopback reports whether host means the machine or container itself.
func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func (e livekitFile) judgeWebhook(c *livekitConfig) engine.Finding {
	var list []string
	for _, u := range c.Webhook.URLs {
		if fault := e.webhookFault(u); fault != "" && strings.HasSuffix(u, "/sfu_webhook") {
			return found("livekit-webhook-url", nil, "webhook.urls holds %s: %s", clip(u), fault)
		}
		if strings.HasSuffix(strings.TrimRight(u, "/"), "/sfu_webhook") && c.Webhook.APIKey != "" {
			return ok("webhooks go to %s", bareURL(u))
		}
		list = append(list, bareURL(u))
	}
	return found("livekit-webhook-missing", nil, "webhook.urls is %q, webhook.api_key is %q", list, e.keyName(c.Webhook.APIKey))
}

func judgeTURN(c *livekitConfig) engine.Finding {
	t := c.TURN
	switch {
	case !t.Enabled:
		return na("LiveKit's TURN is off")
	case t.TLSPort != 0 && t.Domain == "":
		return found("turn-domain", nil, "turn.tls_port is %d, turn.domain is missing", t.TLSPort)
	case t.TLSPort != 0 && !t.ExternalTLS && (t.CertFile == "" || t.KeyFile == ""):
		return found("turn-certificate", nil, "turn.tls_port is %d without certificate; external_tls is off", t.TLSPort)
	case t.TLSPort == 0 && t.UDPPort == 0:
		return found("turn-portless", nil, "turn.enabled without udp_port and tls_port")
	}
	return ok("UDP port %d, TLS port %d, relay ports %d-%d", t.UDPPort, t.TLSPort, t.RelayFirst, t.RelayLast)
}

func judgeAutoCreate(c *livekitConfig) engine.Finding {
	if c.Room.AutoCreate == nil || *c.Room.AutoCreate {
		return found("auto-create-setting", nil, "room.auto_create is not false")
	}
	return ok("room.auto_create is false")
}

// defaultSTUN are the STUN servers that LiveKit asks if livekit.yaml names
// none.
var defaultSTUN = []string{"global.stun.twilio.com:3478", "stun.l.google.com:19302"}

// externalIP asks the same STUN servers as LiveKit whether they answer with a
// public address.
func (e livekitFile) externalIP(ctx context.Context) engine.Finding {
	c := &e.livekit
	if !c.RTC.UseExternalIP { // node_ip does not matter here: LiveKit ignores it if use_external_ip is set
		return na("LiveKit does not ask for its public address")
	}
	servers := c.RTC.STUNServers
	if len(servers) == 0 {
		servers = defaultSTUN
	}
	var failures []string
	var unnamed []string // the hosts of STUN servers whose look-up failed because no name server answered
	for _, server := range servers[:min(len(servers), 4)] {
		if _, _, err := net.SplitHostPort(server); err != nil {
			server = net.JoinHostPort(server, strconv.Itoa(instruments.STUNPort))
		}
		address, err := e.look.STUN(ctx, "udp", server)
		if err == nil {
			return ok("%s says that we are %s", clip(server), address)
		}
		failures = append(failures, clip(server)+": "+reason(err))
		if host, _, _ := net.SplitHostPort(server); instruments.IsDNSBroken(err) {
			unnamed = append(unnamed, clip(host))
		}
	}
	if len(unnamed) == len(failures) {
		return found("dns-broken", engine.Vars{"host": unnamed[0]}, "%s", strings.Join(failures, "; "))
	}
	return found("stun-blocked", nil, "%s", strings.Join(failures, "; "))
}
