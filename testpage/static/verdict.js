// From what the steps found to one verdict: an id of verdicts.js.

/** offered are the SFU's candidates. */
export function judge(results, cause, offered) {
  if (cause) return cause;
  const { media } = results;
  if (!media || media.mark === "none") return "join-refused";
  if (media.detail === "noFrames") return "no-picture";
  if (!media.data) return unreachable(offered);
  if (media.data.way === "tcp") return "only-tcp";
  if (media.data.way === "relay") return "only-relay";
  return media.mark === "ok" ? "udp" : "udp-lossy";
}

/** Why no media gets through, by the addresses that LiveKit tells. */
function unreachable(offered) {
  const addresses = offered.map((c) => c.address);
  if (addresses.length === 0) return "no-candidates";
  if (addresses.every((a) => /^172\.(1[6-9]|2\d|3[01])\./.test(a))) return "docker-candidates";
  return addresses.every(isPrivate) ? "private-candidates" : "no-media";
}

const isPrivate = (a) => /^(10|127)\.|^192\.168\.|^172\.(1[6-9]|2\d|3[01])\.|^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|^f[cd]|^fe80/i.test(a);

/** What else there is to say, about a call that works. */
export function remarks({ resume, tcp, relay, clock }) {
  const list = [];
  if (resume?.mark === "warn") list.push("no-return");
  if (tcp?.mark === "warn") list.push(tcp.detail === "noTCPOffer" ? "tcp-none" : "tcp-closed");
  if (relay?.mark === "warn") list.push("relay-closed");
  if (clock?.mark === "warn") list.push("clock-off");
  return list;
}

/**
 * What stands for the placeholders of a verdict's texts: what this deployment has.
 * What nobody tells the page is the name that livekit.yaml has for it.
 */
export function placeholders(id, { url, port }, { offered, relays }) {
  const base = url.replace(/\/+$/, "");
  const values = {
    host: new URL(url).hostname, url: base.replace(/^ws/, "http"), sfu: base.replace(/^http/, "ws"),
    api: "LIVEKIT_INTERNAL_URL", sfu_port: port || "<port>", udp_ports: udpPorts(offered),
    tcp_port: String(offered.find((c) => c.protocol === "tcp")?.port ?? "rtc.tcp_port"), relay_ports: "UDP",
  };
  return id === "relay-closed" ? { ...values, ...relayOf(relays) } : values;
}

/** Media takes one port (rtc.udp_port), or a range of which LiveKit names a few. */
function udpPorts(offered) {
  const ports = offered.filter((c) => c.protocol === "udp").map((c) => c.port);
  return ports.length > 1 && ports.every((p) => p === ports[0]) ? `${ports[0]}/udp` : "rtc.port_range_start–port_range_end";
}

/** The TURN server: the one over UDP if there is one. Ports: RFC 7065. */
function relayOf(relays) {
  const url = relays.find((u) => u.startsWith("turn:") && !u.endsWith("=tcp")) ?? relays[0] ?? "";
  const [, tls, host = "?", port] = /^turn(s?):(\[[^\]]*\]|[^:?]+):?(\d*)/.exec(url) ?? [];
  const way = tls || url.endsWith("=tcp") ? "tcp" : "udp";
  return { host, turn_port: `${port || (tls ? 5349 : 3478)}/${way}` };
}

export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
