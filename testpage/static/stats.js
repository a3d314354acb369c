// What the browser's statistics say: only they prove that media arrives.

/** The statistics of one track's connection, in one object. */
export function read(report) {
  const all = [...(report?.values() ?? [])];
  const pair = selectedPair(all);
  return {
    pair: pair && describe(pair, all),
    framesDecoded: sum(all, "inbound-rtp", "framesDecoded"),
    packetsReceived: sum(all, "inbound-rtp", "packetsReceived"),
    packetsLost: sum(all, "inbound-rtp", "packetsLost"),
    bytesReceived: sum(all, "inbound-rtp", "bytesReceived"),
    bytesSent: sum(all, "outbound-rtp", "bytesSent"),
  };
}

const sum = (all, type, field) => all.filter((s) => s.type === type).reduce((total, s) => total + (s[field] ?? 0), 0);

/** The pair over which media goes: Firefox marks it itself. */
function selectedPair(all) {
  const transport = all.find((s) => s.type === "transport" && s.selectedCandidatePairId);
  const pairs = all.filter((s) => s.type === "candidate-pair");
  return pairs.find((p) => p.id === transport?.selectedCandidatePairId)
    ?? pairs.find((p) => p.selected)
    ?? pairs.find((p) => p.nominated && p.state === "succeeded");
}

function describe(pair, all) {
  const local = all.find((s) => s.id === pair.localCandidateId) ?? {};
  const remote = all.find((s) => s.id === pair.remoteCandidateId) ?? {};
  const address = remote.address ?? remote.ip ?? "";
  return {
    way: local.candidateType === "relay" ? "relay" : local.protocol ?? remote.protocol ?? "udp",
    family: address.includes(":") ? "IPv6" : "IPv4",
    port: remote.port,
    ends: `${local.candidateType ?? "?"} → :${remote.port ?? "?"}`,
    rtt: pair.currentRoundTripTime === undefined ? undefined : Math.round(pair.currentRoundTripTime * 1000),
  };
}

/**
 * Whether this browser has candidates for TCP at all, which Firefox has not. It
 * gathers those of a connection that goes nowhere and asks nobody.
 */
export async function hasTCP(ms) {
  const connection = new RTCPeerConnection();
  try {
    const gathered = new Promise((resolve) => {
      connection.onicegatheringstatechange = () => connection.iceGatheringState === "complete" && resolve();
    });
    connection.createDataChannel("");
    await connection.setLocalDescription();
    await Promise.race([gathered, new Promise((resolve) => setTimeout(resolve, ms))]);
    const candidates = connection.localDescription.sdp.match(/^a=candidate:.*/gm) ?? [];
    return candidates.length === 0 || candidates.some((line) => / tcp /i.test(line)); // it may keep all to itself
  } finally {
    connection.close();
  }
}

/** What went through between two readings of both ends that lie seconds apart. */
export function between(before, after, seconds) {
  const received = after.received.packetsReceived - before.received.packetsReceived;
  const lost = Math.max(0, after.received.packetsLost - before.received.packetsLost);
  const rate = (bytes) => Math.round((bytes * 8) / 1000 / seconds);
  return {
    loss: Math.round((1000 * lost) / Math.max(1, received + lost)) / 10,
    up: rate(after.sent.bytesSent - before.sent.bytesSent),
    down: rate(after.received.bytesReceived - before.received.bytesReceived),
  };
}
