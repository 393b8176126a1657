// The convergence curve: the share of peers that have a piece of news, measured and expected.
const news = { list: [], known: -1, picked: 0 };

function findNews() {
  if (news.known === log.events.length) return;
  const before = news.list[news.picked];
  news.list = newsOf();
  news.known = log.events.length;
  const pick = $("spread-what");
  const groups = [["lost", "lost"], ["left", "left"], ["joined", "joined"], ["messages", "messages"]];
  show(pick, ...groups.map(([name, words]) => {
    const options = news.list.map((p, i) => [p, i]).filter(([p]) => p.group === name);
    if (options.length === 0) return null;
    return el("optgroup", { label: words }, ...options.slice(0, 500).map(([p, i]) =>
      el("option", { value: i }, `${p.title} at ${seconds(p.knew.length ? p.knew[0][0] : p.cause)} (${p.knew.length} of ${p.of})`)));
  }));
  const same = before && news.list.findIndex((p) => p.title === before.title && p.group === before.group);
  news.picked = before && same >= 0 ? same : firstShown();
  pick.value = String(news.picked);
}

// firstShown is the piece of news that is drawn until another is chosen: one that all got to know, if there is one.
function firstShown() {
  const all = (p) => p.knew.length === p.of, any = () => true;
  for (const fits of [all, any]) {
    for (const group of ["lost", "joined", "left", "messages"]) {
      const i = news.list.findIndex((p) => p.group === group && fits(p));
      if (i >= 0) return i;
    }
  }
  return 0;
}

function plotCurve(p, wanted) {
  const width = Math.min(Math.max($("curve").clientWidth, 260), 1100), h = 260, left = 46, right = width - 14, top = 14, bottom = h - 28;
  const start = p.knew[0][0], last = p.knew[p.knew.length - 1][0] - start;
  const round = run.gossip.interval_ns / 1e3 || 0;
  const longest = Math.max(last, wanted.length * round) * 1.08 || 1000;
  const px = (t) => left + (t / longest) * (right - left), py = (share) => bottom - share * (bottom - top);
  const g = svg("svg", { width, height: h, role: "img", "aria-label": `Share of peers that know: ${p.title}` });
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    g.append(svg("line", { x1: left, x2: right, y1: py(share), y2: py(share), class: "grid" }),
      svg("text", { x: left - 6, y: py(share) + 4, "text-anchor": "end", class: "tick" }, share * 100 + "%"));
  }
  for (const [t] of ticks(0, longest, right - left)) {
    g.append(svg("text", { x: px(t), y: h - 10, "text-anchor": t === 0 ? "start" : "middle", class: "tick" }, t === 0 ? "0" : took(t)));
  }
  let d = `M${px(0)} ${py(0)}`;
  const lines = Math.ceil(p.knew.length / 1000);
  p.knew.forEach(([t, who], i) => {
    const at = px(t - start).toFixed(1);
    d += `H${at}V${py((i + 1) / p.of).toFixed(1)}`;
    if (i % lines === 0) g.append(titled(svg("line", { x1: at, x2: at, y1: bottom, y2: bottom + 5, class: "knew" }), `${who} knew after ${took(t - start)}`));
  });
  g.append(titled(svg("path", { d: d + `H${px(longest)}`, class: "measured" }), `measured: ${p.knew.length} of ${p.of} know`));
  if (wanted.length > 1) {
    const points = wanted.map((share, i) => `${px(i * round).toFixed(1)},${py(share).toFixed(1)}`).join(" ");
    g.append(titled(svg("polyline", { points, class: "expected" }), `expected: fanout ${run.gossip.fanout} every ${took(round)}`));
  }
  return g;
}

function drawCurve() {
  findNews();
  const p = news.list[news.picked];
  if (!p || p.knew.length === 0) {
    show($("curve-table"));
    show($("curve-peers"));
    $("curve-says").textContent = "";
    return show($("curve"), el("p", { class: "empty" }, p ? "Nobody ever knew." : "No member joined, left or was lost, and no message was sent to several."));
  }
  const { interval_ns: interval, fanout } = run.gossip;
  const wanted = p.gossip && interval > 0 && fanout > 0 && p.of > 1 ? expected(p.of, fanout, 500) : [];
  const by = (share) => { const i = wanted.findIndex((s) => s >= share - 1e-9); return i < 0 ? NaN : (i * interval) / 1e3; };
  show($("curve"), plotCurve(p, wanted));
  let says = `Counted from the first peer that knew (${p.knew[0][1]}, at ${seconds(p.knew[0][0])})`;
  if (p.cause !== null) says += p.group === "lost" ? `, ${took(p.knew[0][0] - p.cause)} after the process ended` : `, ${took(p.knew[0][0] - p.cause)} after it was sent`;
  if (p.knew.length < p.of) says += `. ${p.of - p.knew.length} of ${p.of} never knew`;
  if (p.gossip && wanted.length === 0) says += ". No curve is expected: the run does not tell how often and to how many its members gossip";
  $("curve-says").textContent = says + ".";
  const row = (name, at) => [name, took(percentile(p, at)), wanted.length ? took(by(Math.min(at, 0.999))) : "–"];
  show($("curve-table"), table([["Share of peers"], ["measured", true], ["expected", true]], [row("p50", 0.5), row("p95", 0.95), row("max", 1)]));
  tellNews(p);
}

function tellNews(p) {
  if (!$("curve-details").open) return;
  show($("curve-peers"), table([["Peer"], ["Knew at", true], ["After", true]], p.knew.map(([t, who]) => [who, seconds(t), took(t - p.knew[0][0])])));
}

function steerCurve() {
  $("spread-what").addEventListener("change", (e) => { news.picked = Number(e.target.value); drawCurve(); });
  $("curve-details").addEventListener("toggle", () => { if (news.list[news.picked]) tellNews(news.list[news.picked]); });
  legend($("curve-legend"), [
    [[["line", { x1: 1, x2: 20, y1: 7, y2: 7, class: "measured" }]], "measured"],
    [[["line", { x1: 1, x2: 20, y1: 7, y2: 7, class: "expected" }]], "expected of push gossip (Demers et al. 1987; infection-style dissemination of SWIM, 2002)"],
    [[["line", { x1: 10, x2: 10, y1: 3, y2: 12, class: "knew" }]], "a peer got to know"],
  ]);
}
