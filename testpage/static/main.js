// The page: one tap runs the test.

import { redact, redactAll, reportOf } from "./report.js";
import { Run } from "./run.js";
import { startSource } from "./source.js";
import { fetchTicket, keyOf } from "./ticket.js";
import { fill, judge, placeholders, remarks } from "./verdict.js";
import { verdicts } from "./verdicts.js";
import { View } from "./view.js";
import { languageOf, wordsIn } from "./words.js";

const language = languageOf(navigator.languages ?? [navigator.language]);
const words = wordsIn(language);
const view = new View(document, words);

/** LiveKit's client library, which is loaded for a test and not before. */
async function loadLibrary() {
  await import("./livekit-client.js");
  const lib = globalThis.LivekitClient;
  for (const name of Object.values(lib.LoggerNames)) {
    lib.getLogger(name).setLevel("silent", false); // setLogLevel would store it
  }
  return lib;
}

async function start() {
  view.begin();
  let source;
  try {
    source = startSource(); // in the tap
    await test(source);
  } catch (fault) {
    conclude("page-fault", { fault });
  } finally {
    source?.stop();
  }
}

async function test(source) {
  const [lib, { ticket, refused }] = await Promise.all([loadLibrary(), fetchTicket(keyOf(location))]);
  if (refused) {
    conclude(refused, {});
    return;
  }
  if (!lib.isBrowserSupported()) throw new Error("no WebRTC");
  const run = new Run(lib, ticket, source, (name) => view.step(name, run.results[name]));
  const { call, results } = run;
  try {
    await run.do();
    const id = judge(results, run.cause, call.offered);
    conclude(id, { results, call, ticket, version: lib.version });
    if (results.media?.data) { // where no media goes, no data does
      await call.tell(messageOf(ticket.name, id, results.media.data)).catch(() => {});
    }
  } finally {
    await call.leave();
  }
}

/** What the operator's terminal gets to know. */
function messageOf(name, id, { way, rtt, loss }) {
  return { name, verdict: id, way, rtt, loss };
}

const nowhere = { url: location.origin };
const nobody = { offered: [], relays: [] };

/** Shows how it ended. Without a ticket the test has not begun. */
function conclude(id, { results = {}, call = nobody, ticket = nowhere, version = "", fault }) {
  const ids = [id, ...(results.media?.data ? remarks(results) : [])];
  const texts = (change) => join(ids.map((each) => textOf(each, change(placeholders(each, ticket, call)))), fault);
  view.conclude({ id, ...texts((values) => values), results });
  const report = reportOf({
    ...texts(redactAll), lines: view.lines(results), offered: call.offered, version, ticket, agent: navigator.userAgent,
  });
  view.onCopy(() => copy(report.replaceAll(keyOf(location), "…")));
}

/** One text of many: the first gives the verdict. */
function join([first, ...more], fault) {
  const all = [first, ...more];
  const failure = fault && redact(String(fault.message ?? fault));
  return {
    says: first.says, mark: first.mark, operator: all.some((s) => s.operator),
    why: [...all.map((s) => s.why), failure].filter(Boolean).join(" "),
    remedy: all.map((s) => s.remedy).filter(Boolean).join(" "),
  };
}

function textOf(id, values) {
  const entry = verdicts[id];
  const { says, why, remedy } = entry[language];
  return { says: fill(says, values), why: fill(why, values), remedy: fill(remedy, values), mark: entry.mark, operator: entry.operator };
}

async function copy(report) {
  try {
    await navigator.clipboard.writeText(report);
    view.sayCopied(words.copied);
  } catch {
    view.sayCopied(words.notCopied);
  }
  view.showReport(report);
}

view.translate(language);
if (keyOf(location)) {
  view.offerStart(start);
} else {
  view.withoutLink();
}
addEventListener("hashchange", () => location.reload()); // another link
