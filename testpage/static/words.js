// The page's words, in English and German. verdicts.js has the verdicts.

const english = {
  decimal: (n) => n.toFixed(1),
  title: "Connection test",
  about: "This page tests whether calls work on this device, in this network. It asks for neither camera nor microphone: it sends a drawn picture and a tone to your server and back.",
  noLink: "It needs a link: whoever runs the server gets one with “matrixrtc-auth test-link”, and opens it here or scans its code with this device.",
  start: "Start",
  again: "Start again",
  running: "The test is running …",
  doing: (step) => `Testing: ${step}`,
  done: (verdict) => `The test has ended: ${verdict}`,
  outcome: "Verdict",
  mend: "What to mend on the server",
  advice: "What to do",
  steps: "Steps",
  copy: "Copy the report",
  copied: "The report is copied.",
  notCopied: "Copy it from the field.",
  report: "Report",
  licence: "The client library is LiveKit's (Apache License 2.0).",
  device: "This device",
  server: "LiveKit",
  direct: "UDP",
  tcp: "TCP",
  relay: "Relay (TURN)",
  path: (ways) => `How media gets to the server: ${ways}`,
  marks: { ok: "works", warn: "works with doubts", fail: "does not work", none: "not tested" },
  names: {
    socket: "WebSocket to LiveKit",
    join: "Joining a room",
    media: "Media over UDP",
    resume: "A break of the connection, and back",
    tcp: "Media over TCP",
    relay: "Media through the relay (TURN)",
    clock: "Clock",
  },
  details: {
    media: (d) => `${ways.english[d.way]} (${d.ends}), ${d.family}, ${d.rtt ?? "?"} ms, ${english.decimal(d.loss)} % lost, ${d.up} kbit/s up, ${d.down} kbit/s down`,
    noFrames: "connected, but no picture arrives",
    noMedia: "no connection comes about",
    tcp: (d) => `${d.family}, port ${d.port}`,
    noTCP: "this browser does not use TCP for media",
    noTCPOffer: "LiveKit offers none",
    noTURN: "the server offers no relay",
    relay: (d) => `${d.family}, ${d.rtt ?? "?"} ms`,
    clock: (d) => `differs by ${d.seconds} s`,
    first: "a step before it failed",
  },
};

const german = {
  decimal: (n) => n.toFixed(1).replace(".", ","),
  title: "Verbindungstest",
  about: "Diese Seite prüft, ob Anrufe auf diesem Gerät in diesem Netz funktionieren. Sie fragt weder nach Kamera noch nach Mikrofon: Sie schickt ein gezeichnetes Bild und einen Ton zu Ihrem Server und zurück.",
  noLink: "Sie braucht einen Link: Wer den Server betreibt, bekommt ihn mit „matrixrtc-auth test-link“ und öffnet ihn hier oder scannt seinen Code mit diesem Gerät.",
  start: "Starten",
  again: "Noch einmal starten",
  running: "Der Test läuft …",
  doing: (step) => `Geprüft wird: ${step}`,
  done: (verdict) => `Der Test ist zu Ende: ${verdict}`,
  outcome: "Ergebnis",
  mend: "Was am Server zu ändern ist",
  advice: "Was zu tun ist",
  steps: "Schritte",
  copy: "Bericht kopieren",
  copied: "Der Bericht ist kopiert.",
  notCopied: "Bitte aus dem Feld kopieren.",
  report: "Bericht",
  licence: "Die Client-Bibliothek ist die von LiveKit (Apache License 2.0).",
  device: "Dieses Gerät",
  server: "LiveKit",
  direct: "UDP",
  tcp: "TCP",
  relay: "Relay (TURN)",
  path: (ways) => `Wie Bild und Ton zum Server kommen: ${ways}`,
  marks: { ok: "geht", warn: "geht mit Einschränkung", fail: "geht nicht", none: "nicht geprüft" },
  names: {
    socket: "WebSocket zu LiveKit",
    join: "Beitritt zu einem Raum",
    media: "Bild und Ton über UDP",
    resume: "Unterbrechung und Rückkehr der Verbindung",
    tcp: "Bild und Ton über TCP",
    relay: "Bild und Ton über das Relay (TURN)",
    clock: "Uhr",
  },
  details: {
    media: (d) => `${ways.german[d.way]} (${d.ends}), ${d.family}, ${d.rtt ?? "?"} ms, ${german.decimal(d.loss)} % verloren, ${d.up} kbit/s hin, ${d.down} kbit/s zurück`,
    noFrames: "verbunden, aber es kommt kein Bild an",
    noMedia: "es kommt keine Verbindung zustande",
    tcp: (d) => `${d.family}, Port ${d.port}`,
    noTCP: "dieser Browser nutzt TCP nicht für Bild und Ton",
    noTCPOffer: "LiveKit bietet es nicht an",
    noTURN: "der Server bietet kein Relay an",
    relay: (d) => `${d.family}, ${d.rtt ?? "?"} ms`,
    clock: (d) => `weicht um ${d.seconds} s ab`,
    first: "ein Schritt davor ist gescheitert",
  },
};

// How media goes.
const ways = {
  english: { udp: "over UDP", tcp: "over TCP", relay: "through the relay" },
  german: { udp: "über UDP", tcp: "über TCP", relay: "über das Relay" },
};

/** The language of the page: the first of the browser's that there is. */
export function languageOf(preferred) {
  const known = preferred.map((tag) => tag.toLowerCase().split("-")[0]).find((tag) => tag === "de" || tag === "en");
  return known ?? "en";
}

export const wordsIn = (language) => (language === "de" ? german : english);
