// The belief matrix, its slider, and when views disagreed.
const TABLE = 40; // so many peers fit into a table; more are drawn on a canvas

const believer = { t: null };

function setCursor(t) {
  believer.t = Math.min(Math.max(t, 0), span());
  axis.cursor = believer.t;
  $("belief-time").value = String(Math.round((believer.t / span()) * Number($("belief-time").max)));
  drawBeliefs();
  redraw();
}

function cellTitle(v, o, s) {
  const is = v.inside[o] ? states[v.cells[o * v.n + s]] : "nothing, not being in the group";
  return `${log.lanes[o]} believes of ${log.lanes[s]}: ${is}`;
}

function matrixTable(v) {
  const many = v.n > 8;
  const head = el("tr", null, el("td"), ...log.lanes.map((name, s) =>
    el("th", { scope: "col", title: name + (v.differs(s) ? ": beliefs differ" : ""), class: v.differs(s) ? "differs" : null }, cut(name, 18))));
  const rows = log.lanes.map((name, o) => el("tr", { class: v.inside[o] ? null : "out" },
    el("th", { scope: "row", title: v.inside[o] ? name : name + ": not in the group" }, cut(name, 24)),
    ...log.lanes.map((_, s) => {
      const state = v.cells[o * v.n + s];
      return el("td", { class: "b-" + states[state], title: cellTitle(v, o, s) }, letters[state]);
    })));
  return el("table", { class: many ? "beliefs many" : "beliefs" }, el("thead", null, head), el("tbody", null, ...rows));
}

function matrixCanvas(v, width) {
  const label = 64, cell = Math.max(6, Math.min(14, Math.floor((width - label) / v.n))), size = cell * v.n;
  const [c, pen] = canvas(label + size + 1, label + size + 1);
  const font = Math.min(10, cell + 1);
  pen.font = `${font}px "DejaVu Sans", sans-serif`;
  pen.textBaseline = "middle";
  const every = Math.ceil(9 / cell);
  log.lanes.forEach((name, i) => {
    if (i % every) return;
    pen.fillStyle = colour("fg");
    pen.textAlign = "right";
    pen.fillText(cut(name, 11), label - 4, label + i * cell + cell / 2, label - 6);
    pen.save();
    pen.translate(label + i * cell + cell / 2, label - 4);
    pen.rotate(-Math.PI / 2);
    pen.textAlign = "left";
    pen.fillStyle = v.differs(i) ? colour("bad") : colour("fg");
    pen.fillText(cut(name, 11), 0, 0, label - 6);
    pen.restore();
  });
  const fills = states.map(colour), inks = states.map((s) => colour("on-" + s));
  pen.textAlign = "center";
  pen.font = `bold ${cell - 3}px "DejaVu Sans", sans-serif`;
  for (let o = 0; o < v.n; o++) {
    pen.globalAlpha = v.inside[o] ? 1 : 0.35;
    for (let s = 0; s < v.n; s++) {
      const state = v.cells[o * v.n + s], left = label + s * cell, top = label + o * cell;
      pen.fillStyle = fills[state];
      pen.fillRect(left, top, cell - 0.7, cell - 0.7);
      // Letters of the usual state would only hide the others.
      if (cell >= 9 && state > 1) {
        pen.fillStyle = inks[state];
        pen.fillText(letters[state], left + cell / 2 - 0.3, top + cell / 2);
      }
    }
  }
  c.setAttribute("role", "img");
  c.setAttribute("aria-label", "Belief matrix; the table below says the same");
  c.addEventListener("mousemove", (e) => {
    const s = Math.floor((e.offsetX - label) / cell), o = Math.floor((e.offsetY - label) / cell);
    c.title = s >= 0 && o >= 0 && s < v.n && o < v.n ? cellTitle(v, o, s) : "";
  });
  return c;
}

function tellBeliefs(v) {
  if (!$("belief-details").open) return;
  const rows = log.lanes.map((name, s) => {
    const who = states.map(() => []);
    for (let o = 0; o < v.n; o++) if (v.inside[o]) who[v.cells[o * v.n + s]].push(log.lanes[o]);
    const minority = who.map((w, i) => [w, i]).filter(([w]) => w.length > 0).sort((a, b) => a[0].length - b[0].length).slice(0, -1);
    return [name, ...[1, 2, 3, 4, 0].map((i) => who[i].length), cut(minority.map(([w, i]) => `${states[i]}: ${w.join(" ")}`).join("; "), 200)];
  });
  show($("belief-table"), table([["Peer"], ["alive", true], ["suspect", true], ["lost", true], ["left", true], ["unknown", true], ["Who differs"]], rows));
}

function drawStrip() {
  const box = $("belief-strip"), width = Math.max(box.clientWidth, 200), h = 34;
  const most = Math.max(1, ...moves.splits.map((s) => s[1]));
  const at = (t) => 4 + (t / span()) * (width - 8);
  let d = `M4 ${h}`, previous = h;
  let lastX = -1;
  moves.splits.forEach(([t, n], i) => {
    const px = at(t), py = h - 4 - (n / most) * (h - 16);
    if (px < lastX + 0.5 && i < moves.splits.length - 1 && py >= previous) return; // narrower than a pixel, and no new height
    d += `H${px.toFixed(1)}V${(n ? py : h).toFixed(1)}`;
    lastX = px;
    previous = n ? py : h;
  });
  const g = svg("svg", { width, height: h, role: "img", "aria-label": "About how many peers views disagreed, over time" },
    titled(svg("path", { d: d + `H${width - 4}V${h}z`, class: "split" }), "about how many peers views disagreed"),
    svg("text", { x: 6, y: 11, class: "soft" }, `views disagree about up to ${counted(most === 1 && moves.splits.every((s) => !s[1]) ? 0 : most, "peer")}`),
    svg("line", { x1: at(believer.t), x2: at(believer.t), y1: 0, y2: h, class: "cursor" }));
  g.addEventListener("click", (e) => setCursor(((e.clientX - g.getBoundingClientRect().left - 4) / (width - 8)) * span()));
  show(box, g);
}

function drawBeliefs() {
  if (believer.t === null || log.lanes.length === 0) return show($("matrix"), el("p", { class: "empty" }, "No peer is known yet."));
  const v = viewsAt(believer.t);
  $("belief-now").textContent = seconds(believer.t);
  drawStrip();
  if (moves.list.length === 0) {
    $("belief-says").textContent = "";
    return show($("matrix"), el("p", { class: "empty" }, "No peer told of members."));
  }
  const differ = log.lanes.filter((_, s) => v.differs(s)), inside = v.inside.reduce((a, b) => a + b, 0);
  $("belief-says").textContent = `${inside} of ${v.n} are in the group. ` +
    (inside === 0 ? "" : differ.length === 0 ? "All views agree." : `Views differ about ${differ.length}: ${cut(differ.join(", "), 160)}.`);
  show($("matrix"), v.n <= TABLE ? matrixTable(v) : matrixCanvas(v, $("matrix").clientWidth));
  tellBeliefs(v);
}

function steerBeliefs() {
  const slider = $("belief-time");
  slider.addEventListener("input", () => setCursor((Number(slider.value) / Number(slider.max)) * span()));
  const next = (list, after) => list.find((m) => m[0] > after + 0.5);
  $("belief-next").addEventListener("click", () => { const m = next(moves.list, believer.t); if (m) setCursor(m[0]); });
  $("belief-prev").addEventListener("click", () => {
    for (let i = moves.list.length - 1; i >= 0; i--) if (moves.list[i][0] < believer.t - 0.5) return setCursor(moves.list[i][0]);
  });
  $("belief-split").addEventListener("click", () => {
    const from = moves.splits.filter((s, i) => s[1] > 0 && (i === 0 || moves.splits[i - 1][1] === 0));
    const m = next(from, believer.t) || from[0];
    if (m) setCursor(m[0]);
  });
  $("belief-details").addEventListener("toggle", () => tellBeliefs(viewsAt(believer.t)));
  legend($("belief-legend"), [1, 2, 3, 4, 0].map((i) => [[["rect", { x: 2, y: 1, width: 16, height: 12, class: "fill-" + states[i] }]], `${letters[i]} ${states[i]}`]));
}
