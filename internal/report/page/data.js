// The run as the file holds it, and its events, read from blocks of columns.
const run = JSON.parse($("data").textContent);
const livesOf = (lives) => (lives || []).map((l) => ({ peer: l.peer, from: l.from_ns / 1e3, to: l.to_ns / 1e3, end: l.end || "" }));
run.lives = livesOf(run.lives);
run.steps = (run.steps || []).map(stepOf);
run.sections = (run.sections || []).map((s) => ({ title: s.title, from: s.start_ns / 1e3 }));

// The sections of a run that goes on are known by their steps.
if (run.sections.length === 0) {
  let title = "";
  for (const s of run.steps) if (s.section && s.section !== title) run.sections.push({ title: title = s.section, from: s.from });
}

function stepOf(s) {
  const text = s.round ? `${s.text} (${s.round})` : s.text;
  return { line: s.line, text, section: s.section || "", status: s.status, from: s.start_ns / 1e3, took: s.duration_ns / 1e3, err: s.error || "" };
}

const log = {
  words: [], messages: [], events: [], left: 0,
  last: 0, newest: new Map(), lanes: [], laneOf: new Map(), end: run.us,
};

// Kinds whose first column is a member, with the state that they tell of; and kinds whose first column is a message.
const memberKinds = new Map([["joined", "alive"], ["recovered", "alive"], ["suspected", "suspect"], ["left", "left"], ["lost", "lost"], ["updated", ""]]);
const messageKinds = new Set(["sent", "message", "dropped"]);

// lane is the number of the lane of a name; names that are no peers, such as a service, get one below.
function lane(name) {
  let i = log.laneOf.get(name);
  if (i === undefined) {
    i = log.lanes.length;
    log.lanes.push(name);
    log.laneOf.set(name, i);
  }
  return i;
}
run.peers.forEach(lane);

function takeBlock(b) {
  for (const w of b.w || []) log.words.push(w);
  const word = (i) => log.words[i] ?? "";
  for (const m of b.m || []) {
    log.messages.push({
      index: log.messages.length, id: word(m[0]) + m[1], from: word(m[2]), text: word(m[3]), app: word(m[4]),
      receivers: m.slice(5).map(word), sent: null, got: [], dropped: [],
    });
  }
  let late = false, before = -Infinity;
  const n = (b.t || []).length, begins = new Set(b.f || []);
  for (let i = 0; i < n; i++) {
    const e = { t: log.last + b.t[i], k: word(b.k[i]), n: word(b.n[i]), seq: 0, fresh: begins.has(i), a: b.a[i], b: b.b[i] };
    log.last = e.t;
    const own = log.newest.get(e.n);
    e.seq = (own ? own.seq : 0) + b.s[i];
    // What happened to one peer stays in its order, whatever its clock says.
    if (own && e.t < own.t) e.t = own.t;
    log.newest.set(e.n, e);
    late = late || e.t < before;
    before = e.t;
    lane(e.n);
    if (e.t > log.end) log.end = e.t;
    log.events.push(e);
    if (messageKinds.has(e.k)) file(e);
  }
  if (late) log.events.sort((x, y) => x.t - y.t);
  log.left = b.left;
}

// file puts an event to its message.
function file(e) {
  const m = log.messages[e.a];
  if (!m) return;
  if (e.k === "sent") m.sent = e;
  else if (e.k === "message") { if (!m.got.some((g) => g.n === e.n)) m.got.push(e); }
  else m.dropped.push(e);
}

// tell is an event in words.
function tell(e) {
  if (memberKinds.has(e.k)) return log.words[e.a] ?? "";
  if (messageKinds.has(e.k)) {
    const m = log.messages[e.a] || { from: "", text: "", id: "" };
    const to = e.k === "dropped" && log.words[e.b] ? " to " + log.words[e.b] : "";
    return `from ${m.from}${to}: ${m.text} (${m.id})`;
  }
  if (e.k === "fault") return (e.b ? "set: " : "lifted: ") + log.words[e.a];
  return log.words[e.a] ?? "";
}

for (const b of run.blocks || []) takeBlock(b);
