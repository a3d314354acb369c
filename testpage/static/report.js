// The report that a person sends on: no key, no token, no whole address.

/** The half of an address that tells the network and not the machine. */
export function mask(address) {
  if (!address) return "?";
  return address.includes(":")
    ? `${address.split(":").slice(0, 2).join(":")}:…`
    : `${address.split(".").slice(0, 2).join(".")}.…`;
}

/** What the library says, without tokens and addresses that it may name. */
export const redact = (text) => text.replace(/eyJ[\w-]+\.[\w.-]+/g, "…").replace(/\b(\d+\.\d+)\.\d+\.\d+\b/g, "$1.…");

/** The text of the report. lines are those of the steps, as they are shown. */
export function reportOf({ verdict, why, remedy, lines, offered, version, ticket, agent }) {
  const list = [...new Set(offered.map((c) => `${c.protocol} ${mask(c.address)}:${c.port}`))];
  return [
    ...[verdict, why, remedy].filter(Boolean), "",
    ...lines, "",
    `LiveKit: ${list.join(", ") || "?"}`,
    `${ticket.name ?? "?"}, ${new Date().toISOString()}`,
    `livekit-client ${version}`,
    agent,
  ].join("\n");
}
