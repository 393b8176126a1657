// Where there is too much to draw each: strips in the lanes, one for each kind, darker where more happens.
const strips = [
  { kind: "join", colour: "good", words: "joins" }, { kind: "leave", colour: "left", words: "leaves" },
  { kind: "suspected", colour: "suspect", words: "suspicions" }, { kind: "lost", colour: "lost", words: "members taken for lost" },
  { kind: "recovered", colour: "good", words: "members taken for alive again" },
  { kind: "message", colour: "message", words: "deliveries" }, { kind: "dropped", colour: "lost", words: "drops" },
];

// foldOf says what is drawn one by one, and what as strips. Messages come first: marks fold when both together are too many.
function foldOf(got, dropped, marks) {
  const out = { messages: (got.length + dropped.length) * 3 > MOST, marks: [], folded: [] };
  let room = MOST - (out.messages ? 0 : (got.length + dropped.length) * 3);
  for (const some of [(kind) => kind === "join" || kind === "leave", (kind) => kind !== "join" && kind !== "leave"]) {
    const these = marks.filter(([, kind]) => some(kind));
    if (these.length > room) out.folded.push(...these);
    else out.marks.push(...these);
    room -= these.length > room ? 0 : these.length;
  }
  const points = new Map(strips.map((s) => [s.kind, []]));
  for (const [e, kind] of out.folded) points.get(kind).push(e);
  if (out.messages) {
    for (const [, e] of got) points.get("message").push(e);
    for (const [, e] of dropped) points.get("dropped").push(e);
  }
  out.strips = strips.filter((s) => points.get(s.kind).length > 0).map((s) => ({ ...s, events: points.get(s.kind) }));
  return out;
}

function drawDensity(pen, strips) {
  const bin = 3, bins = Math.ceil(geo.width / bin), h = (geo.h * 0.9) / strips.length;
  strips.forEach((s, i) => {
    const counts = log.lanes.map(() => new Uint32Array(bins));
    let most = 1;
    for (const e of s.events) {
      if (!inView(e.t, e.t)) continue;
      const b = Math.min(Math.max(Math.floor(x(e.t) / bin), 0), bins - 1);
      most = Math.max(most, ++counts[log.laneOf.get(e.n)][b]);
    }
    pen.fillStyle = colour(s.colour);
    counts.forEach((row, l) => row.forEach((n, b) => {
      if (n === 0) return;
      pen.globalAlpha = 0.3 + 0.7 * Math.log(1 + n) / Math.log(1 + most);
      pen.fillRect(b * bin, yOf(l) - geo.h * 0.45 + i * h, bin - 0.3, h);
    }));
  });
  pen.globalAlpha = 1;
}

// tellFold says in words what is not drawn one by one.
function tellFold(fold, messages) {
  if (fold.strips.length === 0) return [];
  const words = [];
  if (fold.messages) words.push(`${number(messages)} deliveries and drops are in view, too many to draw each; zoom in, or follow a message from the table below, to see arrows.`);
  if (fold.folded.length > 0) words.push(`${number(fold.folded.length)} marks of what became of members are in view, too many to draw each; zoom in to see triangles.`);
  const names = fold.strips.map((s) => s.words);
  words.push(names.length === 1 ? `Each lane has a strip instead, darker where there are more ${names[0]}.`
    : `Each lane has strips instead, darker where more happens; from top to bottom: ${names.join(", ")}.`);
  return words;
}
