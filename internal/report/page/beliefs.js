// What each peer believes of the others, replayed from its events. A name may have had several starts, told apart by
// their ids; it is alive if one of them is, as the suite's expectations have it.
const states = ["unknown", "alive", "suspect", "lost", "left"];
const letters = ["·", "A", "S", "X", "L"];
const moves = { list: [], splits: [], known: -1 };

// movesOf are all changes in order: [time, observer, subject, state, id], subject -1 where a life of the observer begins or ends.
function movesOf() {
  const out = [];
  for (const e of log.events) {
    const o = log.laneOf.get(e.n);
    if (e.fresh) out.push([e.t, o, -1, 0, 0]);
    const state = memberKinds.get(e.k);
    if (state) out.push([e.t, o, lane(log.words[e.a]), states.indexOf(state), e.b]);
  }
  for (const l of run.lives) if (l.end && log.laneOf.has(l.peer)) out.push([l.to, log.laneOf.get(l.peer), -1, 1, 0]);
  return out.sort((a, b) => a[0] - b[0]);
}

class Views {
  constructor() {
    this.n = log.lanes.length;
    this.cells = new Uint8Array(this.n * this.n);
    this.starts = new Map(); // by cell: states by id
    this.inside = new Uint8Array(this.n); // who is in the group, and so believes something
    this.counts = Array.from({ length: this.n }, () => new Int32Array(states.length)); // of a subject, by state
    this.split = 0; // subjects about whom beliefs differ
  }
  differs(s) {
    let kinds = 0;
    for (const c of this.counts[s]) if (c > 0) kinds++;
    return kinds > 1;
  }
  count(s, state, by) {
    const before = this.differs(s);
    this.counts[s][state] += by;
    this.split += this.differs(s) - before;
  }
  clear(o) {
    for (let s = 0; s < this.n; s++) {
      const cell = o * this.n + s;
      if (this.inside[o]) this.count(s, this.cells[cell], -1);
      this.cells[cell] = 0;
      this.starts.delete(cell);
    }
    this.inside[o] = 0;
  }
  take([, o, s, state, id]) {
    if (s < 0) return this.clear(o);
    if (s === o && states[state] === "left") return this.clear(o);
    // Nobody else says that one has left: who has said goodbye believes nothing any more, though its process may take a while to end.
    if (states[state] === "left" && this.inside[s] && this.starts.get(s * this.n + s)?.has(id)) this.clear(s);
    if (!this.inside[o]) {
      this.inside[o] = 1;
      for (let i = 0; i < this.n; i++) this.count(i, this.cells[o * this.n + i], 1);
    }
    const cell = o * this.n + s;
    let starts = this.starts.get(cell);
    if (!starts) this.starts.set(cell, starts = new Map());
    starts.set(id, state);
    let best = state;
    for (const v of starts.values()) if (v === 1 || v === 2 && best !== 1) best = v;
    this.count(s, this.cells[cell], -1);
    this.cells[cell] = best;
    this.count(s, best, 1);
  }
}

// prepare replays everything once, to know when views disagreed: [time, about how many].
function prepare() {
  if (moves.known === log.events.length) return;
  moves.list = movesOf();
  moves.known = log.events.length;
  const v = new Views();
  moves.splits = [[0, 0]];
  for (const m of moves.list) {
    v.take(m);
    const last = moves.splits[moves.splits.length - 1];
    if (last[0] === m[0]) last[1] = v.split;
    else if (last[1] !== v.split) moves.splits.push([m[0], v.split]);
  }
}

// viewsAt are the views at a time.
function viewsAt(t) {
  prepare();
  const v = new Views();
  for (const m of moves.list) {
    if (m[0] > t) break;
    v.take(m);
  }
  return v;
}
