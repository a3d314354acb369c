// Why no WebSocket opens. LiveKit judges tokens over HTTP (/rtc/validate), for
// any page; a proxy does not.

const patience = 8_000;

/** Returns the id of a verdict. */
export async function whyNoSocket(url, token) {
  const base = url.replace(/^ws/, "http").replace(/\/+$/, "");
  let answer;
  try {
    answer = await fetch(`${base}/rtc/validate?access_token=${token}`, {
      credentials: "omit", signal: AbortSignal.timeout(patience),
    });
  } catch {
    return (await answers(base)) ? "sfu-no-route" : "sfu-broken";
  }
  return judge(answer.status, await answer.text());
}

function judge(status, text) {
  if (status === 200) return "websocket-headers"; // the token is good, and HTTP gets there
  if (status === 401 || status === 403) return "sfu-other-keys";
  if (status === 404 && /room/.test(text)) return "sfu-other"; // the service has seen that the room is there
  return "sfu-no-route";
}

/** Whether anything at all answers there, though no page may read what. */
async function answers(base) {
  try {
    await fetch(`${base}/`, { mode: "no-cors", credentials: "omit", signal: AbortSignal.timeout(patience) });
    return true;
  } catch {
    return false;
  }
}
