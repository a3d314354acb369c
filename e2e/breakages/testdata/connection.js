// What the tests look at in the page of the connection test. It runs before the
// page's own scripts.
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(`${event.violatedDirective}: ${event.blockedURI}`);
});
window.connectionTest = {
  // outcome waits for the end of a test and returns what is shown then, as JSON.
  async outcome() {
    const section = document.getElementById("outcome");
    while (section.hidden) await new Promise((resolve) => setTimeout(resolve, 50));
    const text = (id) => document.getElementById(id).textContent;
    const rows = [...document.querySelectorAll("#steps li")];
    const cells = (read) => Object.fromEntries(rows.map((row) => [row.id.replace("step-", ""), read(row)]));
    document.getElementById("copy").click();
    await new Promise((resolve) => setTimeout(resolve, 200));
    return JSON.stringify({
      Verdict: document.getElementById("verdict").dataset.verdict,
      Says: text("verdict"), Why: text("why"), Remedy: text("remedy"),
      Marks: cells((row) => row.dataset.mark ?? ""),
      Details: cells((row) => row.querySelector(".detail").textContent),
      Report: document.getElementById("report").value,
      Violations: window.violations,
      Stored: document.cookie.length + JSON.stringify({ ...localStorage, ...sessionStorage }).length - 2,
    });
  },
};
