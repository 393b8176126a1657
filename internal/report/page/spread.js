// Pieces of news, and when each peer had them.
const QUIET = 30e6; // so long after the last report, the same news is another piece

// newsOf are the pieces of news of the run: a member joined, was lost or left, told by each peer that noticed; and messages.
// Each is {title, group, cause, knew: [[time, peer]], of: how many could know}.
function newsOf() {
  const open = new Map(), out = [];
  for (const e of log.events) {
    const state = memberKinds.get(e.k);
    if (e.k !== "joined" && e.k !== "lost" && e.k !== "left" || !state) continue;
    const about = log.words[e.a], key = e.k + "\u0000" + about;
    let piece = open.get(key);
    const again = piece && (piece.who.has(e.n) || e.t - piece.knew[piece.knew.length - 1][0] > QUIET);
    if (!piece || again) {
      piece = { title: `${about} ${e.k}`, group: e.k, about, knew: [], who: new Set(), cause: causeOf(e.k, about, e.t), of: 0 };
      open.set(key, piece);
      out.push(piece);
    }
    piece.who.add(e.n);
    piece.knew.push([e.t, e.n]);
  }
  for (const p of out) count(p);
  return out.filter((p) => p.knew.length > 0 && p.of > 1).concat(newsOfMessages());
}

// causeOf is when a peer ended that is then taken for lost, or null.
function causeOf(kind, about, before) {
  if (kind !== "lost") return null;
  const ends = run.lives.filter((l) => l.end && l.peer === about && l.to <= before).map((l) => l.to);
  return ends.length ? Math.max(...ends) : null;
}

// count leaves out who could not know: who is the subject of bad news, and who was not running when it came up.
function count(p) {
  const start = p.knew[0][0];
  const runs = (name) => {
    const lives = run.lives.filter((l) => l.peer === name);
    return lives.length === 0 || lives.some((l) => l.from <= start && (!l.end || l.to >= start));
  };
  const could = new Set(run.peers.filter((name) => runs(name) && (p.group === "joined" || name !== p.about)));
  p.knew = p.knew.filter(([, who]) => could.has(who));
  p.of = could.size;
  p.gossip = true;
}

function newsOfMessages() {
  const out = [];
  for (const m of log.messages) {
    if (!m.sent || m.got.length + m.dropped.length < 2) continue;
    const of = Math.max(m.receivers.length, m.got.length);
    out.push({
      title: `${m.from}: ${cut(m.text, 60)}`, group: "messages", cause: m.sent.t, of, gossip: false,
      knew: m.got.map((e) => [e.t, e.n]).sort((a, b) => a[0] - b[0]),
    });
    if (out.length >= 300) break;
  }
  return out;
}

// expected is the share of peers that know after each round of push gossip, one at first: of those that do not know, one stays so
// with probability (1 - fanout/(n-1)) for each that does. It is Demers et al. 1987, section 1.3, p' = p (1 - 1/n)^(n(1-p)), for any fanout.
function expected(n, fanout, most) {
  const out = [1 / n];
  let ignorant = 1 - 1 / n;
  while (ignorant > 0.001 && out.length < most) {
    ignorant *= Math.pow(Math.max(0, 1 - fanout / (n - 1)), n * (1 - ignorant));
    out.push(1 - ignorant);
  }
  return out;
}

// percentile is the time by which that share of all who could know did; Infinity when so many never did.
function percentile(p, share) {
  const i = Math.max(Math.ceil(share * p.of) - 1, 0);
  return i < p.knew.length ? p.knew[i][0] - p.knew[0][0] : Infinity;
}
