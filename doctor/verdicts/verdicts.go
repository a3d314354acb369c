// Package verdicts has the results of the connection test in words for a person,
// in English and German.
package verdicts

import (
	"encoding/json"
	"fmt"
	"strings"

	"matrixrtc-auth/doctor/causes"
)

// Verdict is a result of the connection test, in words for a person. If doctor has
// a cause that says the same, the English words are those of the cause.
type Verdict struct {
	ID string
	// Mark is "ok", "warn" or "fail".
	Mark string
	// Cause is the id of the cause in doctor's table that says the same as this
	// verdict; "" if doctor cannot find that cause.
	Cause string
	// Says and German are the verdict in English and in German. Each is one
	// sentence, without a full stop.
	Says, German string
	// Own and OwnGerman are the reason and the remedy if Cause is "". The person
	// who runs the test must apply this remedy, not the operator.
	Own, OwnGerman words
}

// words are a reason (Text) and a remedy. Both may contain placeholders, like
// the texts of an engine.Cause.
type words struct{ Text, Remedy string }

// Words returns the reason and the remedy, in English and in German.
func (v Verdict) Words() (english, german words) {
	if v.Cause == "" {
		return v.Own, v.OwnGerman
	}
	c := causes.Of(v.Cause)
	return words{c.Text, c.Remedy}, germanCauses[v.Cause]
}

// germanCauses has the German words of doctor's causes, by the cause's id.
var germanCauses = map[string]words{
	"websocket-headers": {
		"Der Proxy von {host} reicht WebSockets nicht weiter: Clients bekommen ein Token und bleiben dann bei „Verbinden“ hängen",
		"Der Proxy muss die Header Upgrade und Connection weiterreichen: Benutzerdefinierte Kopfzeile, Erstellen, WebSocket (DSM); proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade; (nginx)"},
	"sfu-broken": {
		"Eine Anfrage an {url} bekommt keine Antwort",
		"Das Log des Reverse-Proxys von {host} ansehen"},
	"sfu-no-route": {
		"Was unter {url} antwortet, ist nicht LiveKit, oder der Proxy entfernt das Präfix nicht",
		"{url} zu http://127.0.0.1:{sfu_port}/ leiten (in nginx mit einem Schrägstrich am Ende, damit das Präfix entfernt wird)"},
	"sfu-other": {
		"Clients erreichen unter {url} ein anderes LiveKit als dieser Dienst unter {api}: Ein Raum, der hier angelegt wird, ist dort nicht da",
		"Den Eintrag des Proxys für {host} zu dem LiveKit leiten, das LIVEKIT_INTERNAL_URL nennt; sind beide Knoten eines LiveKits, brauchen alle dasselbe Redis (redis: in livekit.yaml)"},
	"sfu-other-keys": {
		"Clients erreichen unter {url} ein anderes LiveKit als dieser Dienst unter {api}: Es kennt den Schlüssel nicht oder hat ein anderes Geheimnis dafür",
		"Den Eintrag des Proxys für {host} zu dem LiveKit leiten, das LIVEKIT_INTERNAL_URL nennt"},
	"join-refused": {
		"LiveKit unter {sfu} lässt einen Teilnehmer nicht hinein, der ein gutes Token hat",
		"Das Log von LiveKit ansehen"},
	"media-closed": {
		"Ein Teilnehmer wird hineingelassen, aber Bild und Ton kommen nicht durch („Warten auf Medien“)",
		"Die Ports von LiveKit veröffentlichen und weiterleiten: den Bereich aus livekit.yaml als UDP ({udp_ports}), und {tcp_port}/tcp; die Firewall muss sie durchlassen"},
	"media-no-data": {
		"Zwei Teilnehmer sind beigetreten, aber was der eine sendet, kommt beim anderen nicht an",
		"Das Log von LiveKit ansehen; das Token muss das Senden erlauben (LIVEKIT_REMOTE_CAN_PUBLISH_HOMESERVERS)"},
	"media-not-udp": {
		"Bild und Ton kommen durch, aber nicht über UDP: Bilder stocken, wenn Pakete verloren gehen",
		"Den Bereich aus livekit.yaml als UDP veröffentlichen und weiterleiten ({udp_ports}); die Firewall muss ihn durchlassen"},
	"ice-tcp-none": {
		"LiveKit bietet Bild und Ton nicht über TCP an: Wer in einem Netz ist, das UDP sperrt, bekommt kein Bild",
		"rtc.tcp_port in livekit.yaml auf 7881 setzen, ihn veröffentlichen und 7881/tcp weiterleiten"},
	"ice-tcp-closed": {
		"Der Port von LiveKit für Bild und Ton über TCP antwortet nicht: Wer in einem Netz ist, das UDP sperrt, bekommt kein Bild",
		"{tcp_port} in compose.yaml veröffentlichen und {tcp_port}/tcp im Router weiterleiten; die Firewall muss ihn durchlassen"},
	"turn-refused": {
		"Der TURN-Server {host} gibt keine Adresse heraus",
		"{turn_port} weiterleiten; auch die Ports des Relays veröffentlichen und weiterleiten ({relay_ports}: turn.relay_range_start und relay_range_end in livekit.yaml), und nachsehen, ob sie frei sind"},
	"candidates-none": {
		"LiveKit nennt keine Adresse für Bild und Ton",
		"In livekit.yaml: rtc.use_external_ip true oder rtc.node_ip, und kein rtc.interfaces oder rtc.ips, das alle ausschließt"},
	"candidates-docker": {
		"LiveKit nennt Clients die Adresse seines Containers im Netz von Docker, die niemand erreicht",
		"In livekit.yaml: rtc: {use_external_ip: true}, oder node_ip: die öffentliche Adresse; bei mehreren Docker-Netzen rtc: {ips: {excludes: [172.16.0.0/12]}}"},
	"candidates-private": {
		"LiveKit nennt Clients nur private Adressen: Wer außerhalb ist, bekommt kein Bild",
		"In livekit.yaml: rtc: {use_external_ip: true}, oder node_ip: die öffentliche Adresse"},
}

// All returns all verdicts of the connection test.
func All() []Verdict { return verdicts }

var verdicts = []Verdict{
	{ID: "udp", Mark: "ok", Says: "Calls will work here, over UDP", German: "Anrufe werden hier funktionieren, über UDP"},
	{ID: "udp-lossy", Mark: "warn", Says: "Calls will work here, over UDP, but they will stutter", German: "Anrufe werden hier funktionieren, über UDP, aber sie werden stocken",
		Own:       words{"packets get lost on the way, or are slow", "come closer to the Wi-Fi router, or try another network"},
		OwnGerman: words{"Unterwegs gehen Pakete verloren, oder sie sind langsam", "Näher an den WLAN-Router gehen oder ein anderes Netz probieren"}},
	{ID: "only-tcp", Mark: "warn", Cause: "media-not-udp", Says: "Only over TCP: expect stutter", German: "Nur über TCP: Bild und Ton werden stocken"},
	{ID: "only-relay", Mark: "warn", Cause: "media-not-udp", Says: "Only through the relay: expect delay", German: "Nur über das Relay: Bild und Ton kommen verzögert an"},
	{ID: "no-media", Mark: "fail", Cause: "media-closed", Says: "No media gets through: calls will not work here", German: "Bild und Ton kommen nicht durch: Anrufe werden hier nicht funktionieren"},
	{ID: "no-candidates", Mark: "fail", Cause: "candidates-none", Says: "No media gets through: calls will not work here", German: "Bild und Ton kommen nicht durch: Anrufe werden hier nicht funktionieren"},
	{ID: "docker-candidates", Mark: "fail", Cause: "candidates-docker", Says: "No media gets through: calls will not work here", German: "Bild und Ton kommen nicht durch: Anrufe werden hier nicht funktionieren"},
	{ID: "private-candidates", Mark: "fail", Cause: "candidates-private", Says: "No media gets through: calls will not work here", German: "Bild und Ton kommen nicht durch: Anrufe werden hier nicht funktionieren"},
	{ID: "no-picture", Mark: "fail", Cause: "media-no-data", Says: "Connected, but no picture arrives: calls will not work here", German: "Verbunden, aber es kommt kein Bild an: Anrufe werden hier nicht funktionieren"},
	{ID: "websocket-headers", Mark: "fail", Cause: "websocket-headers", Says: "Calls do not begin: WebSockets are not passed on", German: "Anrufe kommen nicht zustande: WebSockets werden nicht weitergereicht"},
	{ID: "sfu-broken", Mark: "fail", Cause: "sfu-broken", Says: "Calls do not begin: LiveKit is not reached", German: "Anrufe kommen nicht zustande: LiveKit ist nicht erreichbar"},
	{ID: "sfu-no-route", Mark: "fail", Cause: "sfu-no-route", Says: "Calls do not begin: LiveKit is not reached", German: "Anrufe kommen nicht zustande: LiveKit ist nicht erreichbar"},
	{ID: "sfu-other", Mark: "fail", Cause: "sfu-other", Says: "Calls do not begin: the wrong LiveKit answers", German: "Anrufe kommen nicht zustande: Das falsche LiveKit antwortet"},
	{ID: "sfu-other-keys", Mark: "fail", Cause: "sfu-other-keys", Says: "Calls do not begin: the wrong LiveKit answers", German: "Anrufe kommen nicht zustande: Das falsche LiveKit antwortet"},
	{ID: "join-refused", Mark: "fail", Cause: "join-refused", Says: "Calls do not begin: LiveKit lets nobody in", German: "Anrufe kommen nicht zustande: LiveKit lässt niemanden hinein"},

	// Verdicts about a call that works.
	{ID: "tcp-none", Mark: "warn", Cause: "ice-tcp-none", Says: "There is no way over TCP", German: "Über TCP führt kein Weg"},
	{ID: "tcp-closed", Mark: "warn", Cause: "ice-tcp-closed", Says: "There is no way over TCP", German: "Über TCP führt kein Weg"},
	{ID: "relay-closed", Mark: "warn", Cause: "turn-refused", Says: "There is no way through the relay", German: "Über das Relay führt kein Weg"},

	{ID: "no-return", Mark: "warn", Says: "A call does not come back after a break", German: "Ein Anruf kommt nach einer Unterbrechung nicht zurück",
		Own:       words{"after its connection to LiveKit broke, the test did not come back", "start the test again; if it stays so, send the report to whoever runs the server"},
		OwnGerman: words{"Nach einer Unterbrechung der Verbindung zu LiveKit kam der Test nicht zurück", "Den Test noch einmal starten; bleibt es so, den Bericht an die Person weitergeben, die den Server betreibt"}},
	{ID: "clock-off", Mark: "warn", Says: "The clocks differ", German: "Die Uhren weichen voneinander ab",
		Own:       words{"the clocks of this device and of the server differ", "have both take their time from the network"},
		OwnGerman: words{"Die Uhren dieses Geräts und des Servers weichen voneinander ab", "Beide die Zeit aus dem Netz beziehen lassen"}},

	// Verdicts about a fault of the link, or of the person's device.
	{ID: "link-expired", Mark: "fail", Says: "The link has expired", German: "Der Link ist abgelaufen",
		Own:       words{"links are good for some minutes only", "ask for a new link: matrixrtc-auth test-link makes one"},
		OwnGerman: words{"Links gelten nur einige Minuten", "Um einen neuen Link bitten: matrixrtc-auth test-link erzeugt einen"}},
	{ID: "link-forged", Mark: "fail", Says: "The link is not one of this server", German: "Der Link stammt nicht von diesem Server",
		Own:       words{"the link is cut off, or it was made with another API secret", "open the whole link, or ask for a new one: matrixrtc-auth test-link makes one"},
		OwnGerman: words{"Er ist abgeschnitten, oder er wurde mit einem anderen API-Geheimnis erzeugt", "Den ganzen Link öffnen oder um einen neuen bitten: matrixrtc-auth test-link erzeugt einen"}},
	{ID: "link-used-up", Mark: "fail", Says: "The test ran too often", German: "Der Test lief zu oft",
		Own:       words{"one link is good for twenty tests, and for some more each minute", "wait for a minute, or ask for a new link"},
		OwnGerman: words{"Ein Link reicht für zwanzig Tests und jede Minute für einige mehr", "Eine Minute warten oder um einen neuen Link bitten"}},
	{ID: "room-gone", Mark: "fail", Says: "The room of the link is gone", German: "Den Raum des Links gibt es nicht mehr",
		Own:       words{"LiveKit was started again after the link was made, and has forgotten the room", "ask for a new link: matrixrtc-auth test-link makes one"},
		OwnGerman: words{"LiveKit wurde seitdem neu gestartet und hat ihn vergessen", "Um einen neuen Link bitten: matrixrtc-auth test-link erzeugt einen"}},
	{ID: "service-away", Mark: "fail", Says: "The server gives out no token for the test", German: "Der Server gibt kein Token für den Test heraus",
		Own:       words{"the server does not answer, or the proxy of {host} does not forward POST /test/token to it", "try again; if it stays so, let the proxy forward /test and all paths below it"},
		OwnGerman: words{"Er antwortet nicht, oder der Proxy von {host} reicht POST /test/token nicht an ihn weiter", "Noch einmal versuchen; bleibt es so, muss der Proxy /test und alles darunter weiterreichen"}},
	{ID: "page-fault", Mark: "fail", Says: "The test itself failed", German: "Der Test selbst ist gescheitert",
		Own:       words{"this browser lacks something that calls need, too", "try a current version of Firefox, Chrome or Safari, and send the report to whoever runs the server"},
		OwnGerman: words{"Diesem Browser fehlt etwas, das auch Anrufe brauchen", "Eine aktuelle Version von Firefox, Chrome oder Safari probieren und den Bericht weitergeben"}},
}

// inPage is a verdict in one language, in the form that the page's script
// needs.
type inPage struct {
	Says   string `json:"says"`
	Why    string `json:"why"`
	Remedy string `json:"remedy"`
}

// Module returns verdicts.js, the script with all verdicts for the page of the
// connection test. testpage/static has it in compressed form.
func Module() string {
	all := map[string]any{}
	for _, v := range verdicts {
		english, german := v.Words()
		all[v.ID] = map[string]any{
			"mark": v.Mark, "operator": v.Cause != "",
			"en": english.inPage(v.Says), "de": german.inPage(v.German),
		}
	}
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(all); err != nil {
		panic(err) // strings always have a JSON form
	}
	return fmt.Sprintf("// Made by go generate ./doctor.\nexport const verdicts = %s;\n", strings.TrimSpace(b.String()))
}

func (w words) inPage(says string) inPage {
	p := inPage{Says: causes.Sentence(says)}
	if w.Text != "" {
		p.Why, p.Remedy = causes.Sentence(w.Text), causes.Sentence(w.Remedy)
	}
	return p
}
