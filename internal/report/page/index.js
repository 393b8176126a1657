// The list of runs.
let all = JSON.parse($("data").textContent);
const symbols = { passed: "✓", failed: "✗", running: "▸" };

function rowOf(r) {
  const name = r.link ? el("a", { href: r.link }, r.name) : el("span", null, r.name);
  const known = r.status !== "running";
  return el("tr", { class: "run", "data-status": r.status },
    el("td", { class: r.status }, `${symbols[r.status] || ""} ${r.status}`), el("td", { class: "num" }, String(r.n)),
    el("td", { class: "name" }, name, r.file ? el("p", { class: "quiet" }, r.file) : null, r.first ? el("p", { class: "error" }, r.first) : null),
    el("td", { class: "num" }, known ? took(r.ns / 1e3) : ""), el("td", { class: "num" }, started(r.start)), el("td", { class: "num" }, String(r.peers)),
    el("td", { class: "num" }, known ? String(r.counts.Passed) : ""), el("td", { class: "num" }, known ? String(r.counts.Failed) : ""),
    el("td", { class: "num" }, known ? String(r.counts.Skipped) : ""), el("td", null, r.runner), el("td", { class: "num" }, r.seed === "0" ? "" : r.seed));
}

// started is in UTC, as in reports.
const started = (start) => (start.startsWith("0001") ? "" : start.replace(/^.*T(\d\d:\d\d:\d\d).*$/, "$1"));

function drawRuns() {
  const text = $("run-text").value.toLowerCase(), status = $("run-status").value;
  const fit = all.rows.filter((r) => (!status || r.status === status) && (!text || `${r.n} ${r.name} ${r.file} ${r.first} ${r.runner} ${r.seed}`.toLowerCase().includes(text)));
  const body = $("run-table").tBodies[0];
  const focused = document.activeElement?.getAttribute?.("href");
  show(body, ...fit.map(rowOf));
  if (focused) [...body.querySelectorAll("a")].find((a) => a.getAttribute("href") === focused)?.focus({ preventScroll: true });
  if (all.rows.length === 0) body.append(el("tr", null, el("td", { class: "empty", colspan: 11 }, "No run has begun.")));
  $("run-count").textContent = fit.length === all.rows.length ? "" : `${number(fit.length)} of ${number(all.rows.length)} runs`;
}

function drawVerdict() {
  const count = (status) => all.rows.filter((r) => r.status === status).length;
  const failed = count("failed"), running = count("running"), passed = count("passed") + all.left;
  const status = failed ? "failed" : running || all.rows.length === 0 ? "running" : "passed";
  $("verdict").className = "verdict " + status;
  $("verdict").textContent = symbols[status] + " " + status;
  document.title = `${symbols[status]} ${number(passed)} of ${number(passed + failed)} runs passed – peerlab`;
  $("counts").textContent = `${number(passed)} of ${number(passed + failed)} runs passed` + (running ? `, ${running} running` : "");
  $("left").hidden = all.left === 0;
  $("left").textContent = `Not listed: ${counted(all.left, "more run")} of the oldest that passed.`;
}

function drawAll() {
  drawVerdict();
  drawRuns();
}

$("run-text").addEventListener("input", drawRuns);
$("run-status").addEventListener("change", drawRuns);
$("run-tools").addEventListener("submit", (e) => e.preventDefault());
drawAll();

// The stream begins with all runs, and so a browser that comes back misses nothing.
if (all.live) {
  const source = new EventSource("events?index");
  source.addEventListener("open", () => { $("state").textContent = "live"; });
  source.addEventListener("error", () => { $("state").textContent = "connection lost, trying again…"; });
  source.addEventListener("runs", (e) => {
    all = JSON.parse(e.data);
    drawAll();
  });
  source.addEventListener("resync", () => { source.close(); location.reload(); });
}
document.documentElement.dataset.ready = "yes";
