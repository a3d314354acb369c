// The report that a person sends on: no key, no token, no whole address.

/** The half of an address that tells the network and not the machine. */
export function mask(address) {
  if (!address) return "?";
  return address.includes(":")
    ? `${address.split(":").slice(0, 2).join(":")}:…`
    : `${address.split(".").slice(0, 2).join(".")}.…`;
}

/** A text of somebody else without tokens and whole addresses. */
export const redact = (text) => text.replace(/eyJ[\w-]+\.[\w.-]+/g, "…")
  .replace(/(?:[0-9a-f]{0,4}:){2,7}[0-9a-f.]+/gi, mask).replace(/\b\d+\.\d+\.\d+\.\d+\b/g, mask);

export const redactAll = (values) => Object.fromEntries(Object.entries(values).map(([name, value]) => [name, redact(value)]));

/** The text of the report. lines are those of the steps, as they are shown. */
export function reportOf({ says, why, remedy, lines, offered, version, ticket, agent }) {
  const list = [...new Set(offered.map((c) => `${c.protocol} ${mask(c.address)}:${c.port}`))];
  return [
    ...[says, why, remedy].filter(Boolean), "",
    ...lines, "",
    `LiveKit: ${list.join(", ") || "?"}`,
    `${ticket.name ?? "?"}, ${new Date().toISOString()}`,
    `livekit-client ${version}`,
    agent,
  ].join("\n");
}
