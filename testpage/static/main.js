// The page: one tap runs the test.

import { redact, reportOf } from "./report.js";
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
  const source = startSource(); // in the tap
  try {
    await test(source);
  } catch (fault) {
    conclude("page-fault", {}, [], {}, redact(String(fault?.message ?? fault)));
  } finally {
    source.stop();
  }
}

async function test(source) {
  const [lib, { ticket, refused }] = await Promise.all([loadLibrary(), fetchTicket(keyOf(location))]);
  if (refused) {
    conclude(refused, {}, [], {});
    return;
  }
  const run = new Run(lib, ticket, source, (name) => view.step(name, run.results[name]));
  try {
    await run.do();
    const id = judge(run.results, run.cause, run.call.offered);
    conclude(id, run.results, run.call.offered, ticket, undefined, lib.version);
    if (run.results.media?.data) { // where no media goes, no data does
      await run.call.tell(messageOf(ticket.name, id, run.results)).catch(() => {});
    }
  } finally {
    await run.call.leave();
  }
}

/** What the operator's terminal gets to know. */
function messageOf(name, id, results) {
  const { way, rtt, loss, up, down } = results.media?.data ?? {};
  const marks = Object.fromEntries(Object.entries(results).map(([name, result]) => [name, result.mark]));
  return { name, verdict: id, way, rtt, loss, up, down, marks };
}

/** Shows how it ended. */
function conclude(id, results, offered, ticket, fault, version = "") {
  const values = ticket.url ? placeholders(ticket.url, offered) : { host: location.hostname };
  const said = [id, ...(results.media?.data ? remarks(results) : [])].map((each) => textOf(each, values));
  const [{ says, mark }] = said;
  const why = [...said.map((s) => s.why), fault].filter(Boolean).join(" ");
  const remedy = said.map((s) => s.remedy).filter(Boolean).join(" ");
  view.conclude({ id, says, why, remedy, mark, operator: said.some((s) => s.operator), results });
  const report = reportOf({
    verdict: says, why, remedy, lines: view.lines(results), offered, version, ticket, agent: navigator.userAgent,
  });
  view.onCopy(() => copy(report));
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
