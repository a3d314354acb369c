// The key of the link, and what it is exchanged for.

/** The key behind the # of the page's address, "" if there is none. */
export function keyOf({ hash }) {
  try {
    return decodeURIComponent(hash.slice(1)).trim();
  } catch {
    return hash.slice(1); // no key of ours, which the service says
  }
}

/** What the refusals of the service mean, by status and code. */
const refusals = {
  "403 M_FORBIDDEN": "link-forged",
  "410 M_NOT_FOUND": "link-expired",
  "404 M_NOT_FOUND": "room-gone",
  "429 M_LIMIT_EXCEEDED": "link-used-up",
};

/**
 * Exchanges the key for tokens. Returns { ticket } with the times of the request
 * in it, or { refused } with the id of a verdict.
 */
export async function fetchTicket(key, patience = 10_000) {
  const began = Date.now();
  const signal = AbortSignal.timeout(patience);
  let answer;
  try {
    answer = await fetch("test/token", {
      method: "POST", body: JSON.stringify({ key }), credentials: "omit", signal,
    });
  } catch {
    return { refused: "service-away" };
  }
  const document = await answer.json().catch(() => ({}));
  if (!answer.ok || !document.sender) {
    return { refused: refusals[`${answer.status} ${document.errcode}`] ?? "service-away" };
  }
  return { ticket: { ...document, began, ended: Date.now() } };
}

/** How many seconds this device's clock is ahead of the server's. */
export const clockDifference = ({ now, began, ended }) => ((began + ended) / 2 - now) / 1000;
