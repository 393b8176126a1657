// Following one message, the tables below the diagram, and moving about in it.
const follow = { message: null };

function followMessage(m) {
  follow.message = m;
  const box = $("following");
  box.hidden = m === null;
  if (m === null) return look(axis.from, axis.to);
  const times = [m.sent, ...m.got, ...m.dropped].filter(Boolean).map((e) => e.t);
  const from = Math.min(...times), to = Math.max(...times), margin = Math.max((to - from) * 0.15, 500);
  const seen = new Set([...m.got.map((e) => e.n), ...m.dropped.map((e) => log.words[e.b])]);
  const missing = m.receivers.filter((r) => !seen.has(r));
  show(box, el("p", null, el("strong", null, "Following "), el("code", null, m.id), ` of ${m.from}: ${m.text} `,
    el("button", { type: "button", id: "unfollow", click: () => followMessage(null) }, "Show all messages")),
  el("p", { class: "quiet" }, `Delivered to ${m.got.length}` + (m.receivers.length ? ` of ${m.receivers.length}` : "") +
    (m.dropped.length ? `, dropped ${m.dropped.length === 1 ? "once" : m.dropped.length + " times"}` : "") + (missing.length ? `; nothing is known of ${cut(missing.join(", "), 300)}` : "")));
  look(from - margin, to + margin);
}

const middle = (sorted) => sorted[Math.max(Math.ceil(sorted.length / 2) - 1, 0)];

function tellMessages() {
  if (!$("message-details").open) return;
  const rows = [];
  for (const m of log.messages) {
    const events = [m.sent, ...m.got, ...m.dropped].filter(Boolean);
    if (!events.some((e) => inView(e.t, e.t)) || follow.message && m !== follow.message) continue;
    const late = m.sent ? m.got.map((e) => e.t - m.sent.t).sort((a, b) => a - b) : [];
    rows.push([events[0].t, m, late]);
  }
  rows.sort((a, b) => a[0] - b[0]);
  show($("message-table"), table([["Sent", true], ["From"], ["Text"], ["Delivered", true], ["Dropped", true], ["p50", true], ["Max", true], [""]],
    rows.slice(0, 200).map(([t, m, late]) => [seconds(t), m.from, cut(m.text, 100), m.got.length + (m.receivers.length ? "/" + m.receivers.length : ""),
      m.dropped.length, took(middle(late)), took(late[late.length - 1]),
      el("button", { type: "button", class: "go", "aria-label": "Follow " + m.id, click: () => followMessage(m) }, "follow")])));
  if (rows.length > 200) $("message-table").prepend(el("p", { class: "quiet" }, `The first 200 of ${number(rows.length)} in view.`));
}

function tellFaults() {
  if (!$("fault-details").open) return;
  const rows = faults.spans.map((s) => [s.from, s.name, s.rule, seconds(s.to)]);
  for (const l of run.lives) if (l.end) rows.push([l.to, l.peer, "ended: " + l.end, ""]);
  rows.sort((a, b) => a[0] - b[0]);
  show($("fault-table"), table([["From", true], ["Peer"], ["What"], ["To", true]], rows.slice(0, 1000).map(([t, ...rest]) => [seconds(t), ...rest])));
}

function steer() {
  const box = $("diagram");
  const keys = {
    "+": () => zoom(1.6), "=": () => zoom(1.6), "-": () => zoom(1 / 1.6), ArrowLeft: () => pan(-0.2), ArrowRight: () => pan(0.2),
    0: lookAtAll, Home: () => pan(-1e9), End: () => pan(1e9), Escape: () => followMessage(null),
  };
  box.addEventListener("keydown", (e) => {
    if (!keys[e.key] || e.ctrlKey || e.metaKey || e.altKey) return;
    e.preventDefault();
    keys[e.key]();
  });
  box.addEventListener("wheel", (e) => {
    if (!e.ctrlKey && !e.metaKey && !e.shiftKey) return;
    e.preventDefault();
    const at = timeAt(e.clientX - box.getBoundingClientRect().left);
    if (e.shiftKey) pan((e.deltaX || e.deltaY) / 1000);
    else zoom(Math.exp(-e.deltaY / 300), at);
  }, { passive: false });
  let drag = null;
  box.addEventListener("pointerdown", (e) => { if (e.button === 0) drag = { x: e.clientX, from: axis.from, to: axis.to, moved: false }; });
  window.addEventListener("pointermove", (e) => {
    if (!drag || !e.buttons || Math.abs(e.clientX - drag.x) < 4 && !drag.moved) return;
    drag.moved = true;
    const d = ((e.clientX - drag.x) / (geo.width - geo.label)) * (drag.to - drag.from);
    look(drag.from - d, drag.to - d);
  });
  window.addEventListener("pointerup", () => { drag = null; });
  $("zoom-in").addEventListener("click", () => zoom(2));
  $("zoom-out").addEventListener("click", () => zoom(0.5));
  $("pan-left").addEventListener("click", () => pan(-0.5));
  $("pan-right").addEventListener("click", () => pan(0.5));
  $("zoom-all").addEventListener("click", lookAtAll);
  $("message-details").addEventListener("toggle", tellMessages);
  $("fault-details").addEventListener("toggle", tellFaults);
  for (const b of document.querySelectorAll("button.proof")) {
    b.addEventListener("click", () => {
      const t = Number(b.dataset.us);
      setCursor(t);
      look(t - 250000, t + 250000);
      $("timeline").scrollIntoView();
    });
  }
}
