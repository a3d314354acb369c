// What is shown. All texts are set as texts.

import { redact } from "./report.js";
import { steps } from "./run.js";

const signs = { ok: "✓", warn: "!", fail: "✗", none: "–" };

export class View {
  constructor(document, words) {
    this.document = document;
    this.words = words;
  }

  element(id) {
    return this.document.getElementById(id);
  }

  /** Puts the words of the language where the page has the English ones. */
  translate(language) {
    this.document.documentElement.lang = language;
    this.document.title = this.words.title;
    for (const place of this.document.querySelectorAll("[data-text]")) {
      place.textContent = this.words[place.dataset.text];
    }
    this.element("report").setAttribute("aria-label", this.words.report);
  }

  offerStart(onStart) {
    const button = this.element("start");
    button.hidden = false;
    button.addEventListener("click", onStart);
  }

  withoutLink() {
    this.element("about").textContent = `${this.words.about} ${this.words.noLink}`;
  }

  begin() {
    this.element("about").hidden = true;
    this.element("start").disabled = true;
    this.element("outcome").hidden = true;
    this.element("details").hidden = false;
    this.element("report").hidden = true;
    this.element("copied").textContent = "";
    this.element("state").className = "";
    this.element("steps").replaceChildren(...steps.map((name) => this.row(name)));
    this.say(this.words.running);
  }

  say(text) {
    this.element("state").textContent = text;
  }

  row(name) {
    const row = this.make("li", "", "");
    row.id = `step-${name}`;
    row.append(
      this.make("span", "mark", "·"), this.make("span", "name", this.words.names[name]),
      this.make("span", "took", ""), this.make("span", "detail", ""),
    );
    return row;
  }

  make(tag, className, text) {
    const element = this.document.createElement(tag);
    if (className) element.className = className;
    element.textContent = text;
    return element;
  }

  /** Shows how a step does; without a result it has begun. */
  step(name, result) {
    const row = this.element(`step-${name}`);
    if (!result) {
      row.querySelector(".mark").textContent = "…";
      this.say(this.words.doing(this.words.names[name]));
      return;
    }
    row.dataset.mark = result.mark;
    const mark = row.querySelector(".mark");
    mark.className = `mark ${result.mark}`;
    const sign = this.make("span", "", signs[result.mark]);
    sign.setAttribute("aria-hidden", "true");
    mark.replaceChildren(sign, this.make("span", "spoken", this.words.marks[result.mark]));
    row.querySelector(".took").textContent = result.mark === "none" ? "" : this.took(result);
    row.querySelector(".detail").textContent = this.detail(result);
  }

  took({ seconds }) {
    return `${this.words.decimal(seconds)} s`;
  }

  detail({ detail, data }) {
    const text = this.words.details[detail];
    return typeof text === "function" ? text(data) : text ?? "";
  }

  /** The steps as lines of text. */
  lines(results) {
    return steps.map((name) => {
      const result = results[name] ?? { mark: "none", seconds: 0 };
      const took = result.mark === "none" ? "" : ` (${this.took(result)})`;
      const detail = this.detail(result) || redact(result.fault ?? "");
      return `${signs[result.mark]} ${this.words.names[name]}${took}${detail ? `: ${detail}` : ""}`;
    });
  }

  /** Shows the verdict and leads the keyboard there. */
  conclude({ id, says, why, remedy, mark, operator, results }) {
    const verdict = this.element("verdict");
    const sign = this.make("span", "", `${signs[mark]} `);
    sign.setAttribute("aria-hidden", "true");
    verdict.replaceChildren(sign, this.make("span", "says", says));
    verdict.className = mark;
    verdict.dataset.verdict = id;
    this.element("why").textContent = why;
    this.element("mend").hidden = !remedy;
    this.element("mend").querySelector("h3").textContent = operator ? this.words.mend : this.words.advice;
    this.element("remedy").textContent = remedy;
    this.element("path").replaceChildren(...(results.media ? [picture(this.document, this.words, results)] : []));
    this.element("details").hidden = !results.socket;
    this.element("outcome").hidden = false;
    const button = this.element("start");
    button.disabled = false;
    button.textContent = this.words.again;
    this.say(this.words.done(says));
    this.element("state").className = "spoken"; // whoever sees reads it below
    this.element("outcome-title").focus();
  }

  /** Says, beside the button, what became of the copy. */
  sayCopied(text) {
    this.element("copied").textContent = text;
  }

  onCopy(copy) {
    this.element("copy").onclick = copy;
  }

  showReport(text) {
    const field = this.element("report");
    field.value = text;
    field.hidden = false;
    field.select();
  }
}

const namespace = "http://www.w3.org/2000/svg";

/** How each way to the server does. */
export function waysOf({ media, tcp, relay }) {
  const used = media?.data?.way;
  return {
    direct: used === "udp" ? media.mark : media?.mark === "none" ? "none" : "fail",
    tcp: tcp?.mark ?? "none",
    relay: used === "relay" ? "ok" : relay?.mark ?? "none",
  };
}

/** A picture of the path: this device, three ways, the server. */
function picture(document, words, results) {
  const svg = shape(document, "svg", { viewBox: "0 0 360 148", role: "img" });
  const ways = Object.entries(waysOf(results));
  svg.setAttribute("aria-label", words.path(ways.map(([way, mark]) => `${words[way]}: ${words.marks[mark]}`).join(", ")));
  svg.append(
    shape(document, "rect", { class: "place", x: 8, y: 38, width: 34, height: 64, rx: 6 }),
    shape(document, "path", { class: "place", d: "M20 94 H30" }),
    shape(document, "rect", { class: "place", x: 306, y: 38, width: 46, height: 64, rx: 4 }),
    shape(document, "path", { class: "place", d: "M306 59 H352 M306 81 H352 M314 48 H322 M314 70 H322 M314 92 H322" }),
    shape(document, "text", { x: 4, y: 140 }, words.device),
    shape(document, "text", { x: 356, y: 140, "text-anchor": "end" }, words.server),
    ...ways.flatMap(([way, mark], i) => drawWay(document, words[way], mark, 28 + i * 42)),
  );
  return svg;
}

function drawWay(document, name, mark, y) {
  return [
    shape(document, "path", { class: `way ${mark}`, d: `M46 70 C 82 ${y}, 92 ${y}, 120 ${y} L 228 ${y} C 256 ${y}, 266 ${y}, 302 70` }),
    shape(document, "text", { class: mark, x: 174, y: y - 7, "text-anchor": "middle" }, `${signs[mark]} ${name}`),
  ];
}

function shape(document, tag, attributes, text) {
  const element = document.createElementNS(namespace, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.textContent = text;
  return element;
}
