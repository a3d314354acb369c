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
export function remarks(results) {
  const list = [];
  if (results.tcp?.mark === "warn") list.push("tcp-closed");
  if (results.relay?.mark === "warn") list.push("relay-closed");
  return list;
}

/** What stands for the placeholders of the texts. */
export function placeholders(url, offered) {
  const { host, hostname } = new URL(url);
  const port = offered.find((c) => c.protocol === "tcp")?.port ?? 7881;
  return {
    host: hostname, url: `https://${host}`, sfu: `wss://${host}`, api: "LIVEKIT_INTERNAL_URL", sfu_port: "7880",
    tcp_port: String(port), udp_ports: udpPorts(offered), turn_port: "3478", relay_ports: "20201–20300",
  };
}

// The ranges that a livekit.yaml has by itself: setup's, and LiveKit's own.
const ranges = [[20000, 20200], [50000, 60000]];

function udpPorts(offered) {
  const ports = [...new Set(offered.filter((c) => c.protocol === "udp").map((c) => c.port))];
  const range = ranges.find(([first, last]) => ports.every((p) => p >= first && p <= last));
  return range ? range.join("–") : ports.sort((a, b) => a - b).join(", ");
}

export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
