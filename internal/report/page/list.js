// The list of events: every event of the page, filtered, so many at a time.
const PER_PAGE = 200;
const list = { from: 0, node: 0, kinds: 0 };

function drawList() {
  const text = $("event-text").value.toLowerCase(), node = $("event-node").value, kind = $("event-kind").value, only = $("event-window").checked;
  const found = log.events.filter((e) => (!node || e.n === node) && (!kind || e.k === kind) && (!only || inView(e.t, e.t)) &&
    (!text || (e.n + " " + e.k + " " + tell(e)).toLowerCase().includes(text)));
  list.from = Math.max(0, Math.min(list.from, Math.floor((found.length - 1) / PER_PAGE) * PER_PAGE));
  const shown = found.slice(list.from, list.from + PER_PAGE);
  const body = $("event-table").tBodies[0];
  show(body, ...shown.map((e) => el("tr", null, el("td", { class: "num" }, seconds(e.t)), el("td", null, e.n), el("td", { class: "num" }, String(e.seq)),
    el("td", null, e.k), el("td", null, tell(e)))));
  if (shown.length === 0) body.append(el("tr", { class: "empty" }, el("td", { colspan: 5 }, log.events.length ? "No event is like that." : "No event has arrived.")));
  $("event-count").textContent = shown.length ? `${number(list.from + 1)} to ${number(list.from + shown.length)} of ${number(found.length)}` : "";
  $("event-back").disabled = list.from === 0;
  $("event-more").disabled = list.from + PER_PAGE >= found.length;
}

// offerKinds fills the choices with what there is.
function offerKinds() {
  const add = (node, values) => { for (const v of values) node.append(el("option", { value: v }, cut(v, 40))); };
  add($("event-node"), log.lanes.slice(list.node));
  list.node = log.lanes.length;
  const have = new Set([...$("event-kind").options].map((o) => o.value));
  const kinds = new Set();
  for (let i = list.kinds; i < log.events.length; i++) if (!have.has(log.events[i].k)) kinds.add(log.events[i].k);
  list.kinds = log.events.length;
  add($("event-kind"), [...kinds].sort().slice(0, 200));
}

function steerList() {
  const again = later(() => { list.from = 0; drawList(); });
  for (const id of ["event-text", "event-node", "event-kind", "event-window"]) $(id).addEventListener("input", again);
  $("event-tools").addEventListener("submit", (e) => e.preventDefault());
  $("event-back").addEventListener("click", () => { list.from -= PER_PAGE; drawList(); });
  $("event-more").addEventListener("click", () => { list.from += PER_PAGE; drawList(); });
}
