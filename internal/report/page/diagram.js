// The space-time diagram: arrows for messages, crosses for drops, triangles for what happens to members.
const faults = { spans: [], known: -1 };

// marksOf are the things that happen to members, in view: where a peer itself joins or leaves, and who takes whom for lost.
function marksOf() {
  const out = [];
  for (const e of log.events) {
    if (e.t > axis.to) break;
    if (e.t < axis.from || !memberKinds.has(e.k) || e.k === "updated") continue;
    const about = log.words[e.a];
    if (e.k === "joined" || e.k === "left") { if (about === e.n) out.push([e, e.k === "joined" ? "join" : "leave"]); }
    else out.push([e, e.k]);
  }
  return out;
}

// arrowsOf are [message, event] of deliveries and drops in view; of one message when it is followed.
function arrowsOf() {
  const got = [], dropped = [];
  for (const m of follow.message ? [follow.message] : log.messages) {
    for (const e of m.got) if (inView(m.sent ? m.sent.t : e.t, e.t)) got.push([m, e]);
    for (const e of m.dropped) if (inView(m.sent ? m.sent.t : e.t, e.t)) dropped.push([m, e]);
  }
  return { got, dropped };
}

const triangles = { join: "-5,4 5,4 0,-5", leave: "-5,-4 5,-4 0,5", suspected: "-4,3.5 4,3.5 0,-4", lost: "-4,-3.5 4,-3.5 0,4", recovered: "-4,3.5 4,3.5 0,-4" };

function drawMark(g, e, kind) {
  const small = geo.h < 15 ? 0.65 : 1;
  g.append(titled(svg("polygon", { points: triangles[kind], transform: `translate(${x(e.t)} ${y(e.n)}) scale(${small})`, class: "mark-" + kind }),
    `${seconds(e.t)} ${e.n}: ${e.k} ${log.words[e.a]}`));
}

function drawEnds(g) {
  for (const l of run.lives) {
    if (!l.end || !inView(l.to, l.to) || !log.laneOf.has(l.peer)) continue;
    const r = geo.h < 15 ? 3 : 5;
    g.append(titled(svg("path", { d: `M${-r} ${-r}L${r} ${r}M${-r} ${r}L${r} ${-r}`, transform: `translate(${x(l.to)} ${y(l.peer)})`, class: "mark-kill" }),
      `${seconds(l.to)} ${l.peer}: ${l.end}`));
  }
}

function drawOrigin(g, m) {
  g.append(titled(svg("circle", { cx: x(m.sent.t), cy: y(m.sent.n), r: geo.h < 15 ? 2.2 : 3.6, class: "origin", click: () => followMessage(m) }),
    `${seconds(m.sent.t)} ${m.sent.n} sent ${m.id}: ${cut(m.text, 80)}`));
}

function drawArrow(g, m, e) {
  const sent = m.sent;
  const words = `${m.from} to ${e.n}: ${cut(m.text, 80)}\nid ${m.id}, hop ${e.b}` + (sent ? `, ${took(e.t - sent.t)} after it was sent` : "");
  const pick = () => followMessage(m);
  if (sent && sent.n !== e.n) {
    const line = { x1: x(sent.t), y1: y(sent.n), x2: x(e.t), y2: y(e.n) };
    g.append(titled(svg("line", { ...line, class: "hit", click: pick }), words));
    g.append(svg("line", { ...line, class: follow.message ? "arrow picked" : "arrow", "marker-end": geo.h > 15 ? "url(#head)" : null }));
  }
  g.append(titled(svg("circle", { cx: x(e.t), cy: y(e.n), r: geo.h < 15 ? 2 : 3.2, class: "ring", click: pick }), words));
}

function drawDrop(g, m, e) {
  const to = log.words[e.b], r = geo.h < 15 ? 2.5 : 4;
  const words = `dropped: ${m.from}${to ? " to " + to : ""}: ${cut(m.text, 80)}\nid ${m.id}, ${seconds(e.t)}`;
  const from = m.sent || { t: e.t, n: e.n };
  // The arrow ends before the lane that the message did not come to.
  const aim = log.laneOf.has(to) && to !== from.n ? y(to) : y(e.n);
  const x1 = x(from.t), y1 = y(from.n), x2 = x(e.t), y2 = aim - Math.sign(aim - y1) * geo.h * 0.3;
  g.append(titled(svg("line", { x1, y1, x2, y2, class: "hit", click: () => followMessage(m) }), words));
  g.append(svg("line", { x1, y1, x2, y2, class: "drop" }));
  g.append(titled(svg("path", { d: `M${-r} ${-r}L${r} ${r}M${-r} ${r}L${r} ${-r}`, transform: `translate(${x2} ${y2})`, class: "cross" }), words));
}

function drawDiagram() {
  const box = $("diagram");
  if (log.lanes.length === 0) return show(box, el("p", { class: "empty" }, "No peer is known yet."));
  measure(Math.max(box.clientWidth, 280));
  if (faults.known !== log.events.length) { faults.spans = faultSpans(); faults.known = log.events.length; }
  const g = svg("svg", { width: geo.width, height: geo.height, role: "img", "aria-label": "Space-time diagram" },
    svg("defs", null, svg("marker", { id: "head", viewBox: "0 0 8 8", refX: 11, refY: 4, markerWidth: 6, markerHeight: 6, orient: "auto" },
      svg("path", { d: "M0 0L8 4L0 8z", class: "origin" })),
    svg("clipPath", { id: "plot" }, svg("rect", { x: geo.label - 6, y: 0, width: geo.width - geo.label + 6, height: geo.height }))));
  drawLanes(g);
  const plot = svg("g", { "clip-path": "url(#plot)" });
  drawFaults(plot, faults.spans);
  drawSteps(plot.parentNode || g);
  const { got, dropped } = arrowsOf(), marks = follow.message ? [] : marksOf();
  const fold = foldOf(got, dropped, marks), parts = [];
  if (fold.strips.length > 0) {
    const [c, pen] = canvas(geo.width, geo.height);
    drawDensity(pen, fold.strips);
    parts.push(c);
  }
  if (!fold.messages) {
    for (const m of follow.message ? [follow.message] : log.messages) if (m.sent && inView(m.sent.t, m.sent.t)) drawOrigin(plot, m);
    for (const [m, e] of got) drawArrow(plot, m, e);
    for (const [m, e] of dropped) drawDrop(plot, m, e);
  }
  for (const [e, kind] of fold.marks) drawMark(plot, e, kind);
  drawEnds(plot);
  if (axis.cursor !== null && inView(axis.cursor, axis.cursor)) {
    plot.append(titled(svg("line", { x1: x(axis.cursor), x2: x(axis.cursor), y1: 14, y2: geo.height - 18, class: "cursor" }), "the time of the beliefs below"));
  }
  g.append(plot);
  show(box, ...parts, g);
  sayWhatIsDrawn(tellFold(fold, got.length + dropped.length));
}

function sayWhatIsDrawn(words) {
  $("window").textContent = `${seconds(Math.max(axis.from, 0))} to ${seconds(Math.min(axis.to, span()))}`;
  if (log.left > 0) words.push(`${number(log.left)} events are not in this page, which holds at most so many; events.jsonl has all.`);
  $("folded").hidden = words.length === 0;
  $("folded").textContent = words.join(" ");
}
