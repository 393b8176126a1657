// Geometry of the diagram, and what is drawn below the messages: steps, lanes, faults.
const MOST = 5000; // elements; beyond that, browsers stutter
const geo = { label: 80, top: 0, h: 30, width: 800, height: 100, steps: [] };

// measure fits the lanes to their number and the labels to their names.
function measure(width) {
  const n = log.lanes.length;
  geo.width = width;
  geo.h = n <= 8 ? 44 : n <= 16 ? 30 : n <= 40 ? 20 : 12;
  const longest = Math.max(...log.lanes.map((l) => l.length), 5);
  geo.label = Math.min(Math.max(longest * (geo.h < 15 ? 5.6 : 6.8) + 14, 50), Math.max(width * 0.25, 60), 180);
  geo.steps = stack(run.steps);
  geo.top = 34 + Math.max(geo.steps.length, 1) * 14;
  geo.height = geo.top + n * geo.h + 22;
}
const x = (t) => geo.label + ((t - axis.from) / (axis.to - axis.from)) * (geo.width - geo.label - 8);
const timeAt = (px) => axis.from + ((px - geo.label) / (geo.width - geo.label - 8)) * (axis.to - axis.from);
const y = (name) => geo.top + log.laneOf.get(name) * geo.h + geo.h / 2;
const yOf = (i) => geo.top + i * geo.h + geo.h / 2;
const inView = (from, to) => to >= axis.from && from <= axis.to;

// endOf is when a step ended; one that runs has got as far as the run.
const endOf = (s) => (s.status === "running" && run.going ? span() : s.from + s.took);

// stack puts steps that overlap into different rows, of which there are at most four.
function stack(steps) {
  const rows = [];
  for (const s of steps) {
    if (s.status === "skipped") continue;
    let row = rows.find((r) => r.end <= s.from);
    if (!row) {
      if (rows.length < 4) rows.push(row = { end: 0, steps: [] });
      else row = rows[3];
    }
    row.end = Math.max(row.end, endOf(s));
    row.steps.push(s);
  }
  return rows;
}

function drawSteps(g) {
  g.append(svg("text", { x: 4, y: 27, class: "soft" }, "steps"));
  let room = 1000;
  geo.steps.forEach((row, i) => {
    let last = -1;
    for (const s of row.steps) {
      if (!inView(s.from, endOf(s))) continue;
      const left = Math.max(x(s.from), geo.label), right = Math.min(x(endOf(s)), geo.width - 4);
      if (s.status !== "failed" && right < last + 1 || room-- <= 0) continue; // under the one before
      last = Math.max(right, left + 2);
      g.append(titled(svg("rect", { x: left, y: 18 + i * 14, width: Math.max(right - left - 0.5, 2), height: 11, rx: 1.5, class: "step-" + s.status }),
        `${s.status}: ${s.line} ${s.text}\n${seconds(s.from)}, took ${took(s.took)}`));
    }
  });
  run.sections.forEach((s, i) => {
    if (!inView(s.from, s.from)) return;
    const at = x(s.from), next = run.sections[i + 1], room = ((next ? x(next.from) : geo.width) - at - 8) / 6.4;
    g.append(titled(svg("line", { x1: at, x2: at, y1: 2, y2: geo.height - 20, class: "section-line" }), s.title));
    if (room >= 3) g.append(titled(svg("text", { x: at + 3, y: 12, class: "soft" }, cut(s.title, Math.floor(room))), s.title));
  });
}

// spansOf are the times in which a lane's peer ran.
function spansOf(name) {
  const lives = run.lives.filter((l) => l.peer === name);
  return lives.length ? lives.map((l) => [l.from, l.end ? l.to : span()]) : [[0, span()]];
}

function drawLanes(g) {
  const small = geo.h < 15;
  for (const [t, words] of ticks(axis.from, axis.to, geo.width - geo.label)) {
    const at = x(t);
    if (at < geo.label) continue;
    g.append(svg("line", { x1: at, x2: at, y1: geo.top, y2: geo.height - 18, class: "grid" }));
    if (at < geo.width - 50) g.append(svg("text", { x: at + 2, y: geo.height - 5, class: "tick" }, words));
  }
  log.lanes.forEach((name, i) => {
    const at = yOf(i);
    const room = Math.floor((geo.label - 10) / (small ? 5.4 : 6.6));
    g.append(titled(svg("text", { x: geo.label - 6, y: at + 4, "text-anchor": "end", class: small ? "small" : null }, cut(name, room)), name));
    g.append(svg("line", { x1: geo.label, x2: geo.width - 8, y1: at, y2: at, class: "down" }));
    for (const [from, to] of spansOf(name)) {
      if (!inView(from, to)) continue;
      g.append(svg("line", { x1: Math.max(x(from), geo.label), x2: Math.min(x(to), geo.width - 8), y1: at, y2: at, class: "lane" }));
    }
  });
}

// faultSpans are the times in which rules were set, by the lane of the peer that told of them. A rule of a node that is no peer, such
// as the coordinator, is drawn in the lanes of the peers that it names, and in all when it names none.
function faultSpans() {
  const open = new Map(), out = [];
  const close = (key, to) => {
    for (const s of open.get(key)) s.to = to;
    open.delete(key);
  };
  for (const e of log.events) {
    if (e.fresh) for (const key of [...open.keys()]) if (key.startsWith(e.n + "\u0000")) close(key, e.t);
    if (e.k !== "fault") continue;
    const rule = log.words[e.a] || "", key = e.n + "\u0000" + rule;
    if (!e.b) {
      if (open.has(key)) close(key, e.t);
      continue;
    }
    if (open.has(key)) continue;
    let names = [e.n];
    if (!run.peers.includes(e.n)) {
      const words = new Set(rule.split(/[\s,|]+/));
      names = run.peers.filter((p) => words.has(p));
      if (names.length === 0) names = run.peers;
    }
    const spans = names.map((name) => ({ name, rule, by: e.n, from: e.t, to: span(), open: true }));
    open.set(key, spans);
    out.push(...spans);
  }
  return out;
}

function drawFaults(g, spans) {
  for (const s of spans) {
    if (!inView(s.from, s.to)) continue;
    const left = Math.max(x(s.from), geo.label), right = Math.min(x(s.to), geo.width - 8);
    const kind = /partition|block|cut|deny/i.test(s.rule) ? "band" : "band other";
    g.append(titled(svg("rect", { x: left, y: y(s.name) - geo.h / 2 + 1, width: Math.max(right - left, 1.5), height: geo.h - 2, class: kind }),
      `${s.name}: ${s.rule}\n${seconds(s.from)} to ${seconds(s.to)}`));
  }
}
