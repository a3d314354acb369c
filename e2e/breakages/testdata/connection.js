// What the tests look at in the page of the connection test. It runs before the
// page's own scripts.
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective}: ${event.blockedURI}`);
});
// What the live region has said to a screen reader, in its order.
window.said = [];
document.addEventListener("DOMContentLoaded", () => {
  const state = document.getElementById("state");
  new MutationObserver(() => window.said.push(state.textContent)).observe(state, { childList: true, characterData: true, subtree: true });
});
// The servers of ICE that connections are given.
window.servers = [];
{
  const note = (configuration) => {
    for (const { urls } of configuration?.iceServers ?? []) window.servers.push(...[urls].flat());
  };
  const plain = window.RTCPeerConnection;
  if (plain) window.RTCPeerConnection = class RTCPeerConnection extends plain {
    constructor(configuration, ...rest) {
      super(configuration, ...rest);
      note(configuration);
    }
    setConfiguration(configuration) {
      note(configuration);
      return super.setConfiguration(configuration);
    }
  };
}
window.connectionTest = {
  // outcome waits for the end of a test and returns what is shown then, as JSON.
  async outcome() {
    const section = document.getElementById("outcome");
    while (section.hidden) await new Promise((resolve) => setTimeout(resolve, 50));
    const text = (id) => document.getElementById(id).textContent;
    const rows = [...document.querySelectorAll("#steps li")];
    const cells = (read) => Object.fromEntries(rows.map((row) => [row.id.replace("step-", ""), read(row)]));
    const focus = document.activeElement.id;
    document.getElementById("copy").click();
    const report = document.getElementById("report");
    while (report.hidden) await new Promise((resolve) => setTimeout(resolve, 50));
    return JSON.stringify({
      Verdict: document.getElementById("verdict").dataset.verdict,
      Says: document.querySelector("#verdict .says").textContent, Why: text("why"), Remedy: text("remedy"),
      Marks: cells((row) => row.dataset.mark ?? ""),
      Names: cells((row) => row.querySelector(".name").textContent),
      Details: cells((row) => row.querySelector(".detail").textContent),
      Report: report.value,
      Focus: focus, Spoken: window.said, Servers: window.servers,
      Violations: window.violations,
      Stored: document.cookie.length + JSON.stringify({ ...localStorage, ...sessionStorage }).length - 2,
    });
  },
  // look says how the page looks now, as JSON. axe must be there.
  async look() {
    const { violations } = await axe.run(document, { resultTypes: ["violations"] });
    const shown = (element) => element && element.checkVisibility();
    return JSON.stringify({
      Faults: violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.html}: ${node.failureSummary}`)),
      Width: document.documentElement.scrollWidth,
      Language: document.documentElement.lang,
      Title: document.title,
      Background: getComputedStyle(document.body).backgroundColor,
      Headings: [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].filter(shown).map((h) => `${h.tagName} ${h.textContent}`),
      Start: Boolean(shown(document.getElementById("start"))),
      Text: document.body.innerText,
      Ended: !document.getElementById("outcome").hidden,
    });
  },
};
