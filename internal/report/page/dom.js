// Elements. Text only ever goes in as text: nothing here parses HTML.
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

function fill(node, attrs, children) {
  for (const [name, value] of Object.entries(attrs || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const c of children) if (c !== null && c !== undefined) node.append(c);
  return node;
}
const el = (tag, attrs, ...children) => fill(document.createElement(tag), attrs, children);
const svg = (tag, attrs, ...children) => fill(document.createElementNS(SVG, tag), attrs, children);
const titled = (node, text) => { node.append(svg("title", null, text)); return node; };
const show = (node, ...children) => node.replaceChildren(...children.filter((c) => c !== null && c !== undefined));

// Times are microseconds on the axis of the run.
const seconds = (us) => (us / 1e6).toFixed(3) + " s";
function took(us) {
  if (!Number.isFinite(us)) return "–";
  const a = Math.abs(us);
  if (a < 1000) return Math.round(us) + "µs";
  if (a < 1e6) return (us / 1e3).toFixed(a < 1e4 ? 1 : 0) + "ms";
  return (us / 1e6).toFixed(a < 1e7 ? 2 : 1) + "s";
}
const number = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
const counted = (n, what) => (n === 1 ? "1 " + what : number(n) + " " + what + "s");
const cut = (s, n) => (s.length > n ? s.slice(0, n - 1) + "…" : s);

// table is the alternative to a picture: columns are [title, is a number].
function table(columns, rows, most) {
  if (rows.length === 0) return el("p", { class: "empty" }, "Nothing here.");
  const shown = rows.slice(0, most || rows.length);
  const body = shown.map((cells) => el("tr", null, ...cells.map((c, i) => el("td", { class: columns[i][1] ? "num" : null }, c))));
  const t = el("table", null,
    el("thead", null, el("tr", null, ...columns.map(([name, num]) => el("th", { scope: "col", class: num ? "num" : null }, name)))),
    el("tbody", null, ...body));
  const box = el("div", { class: "scroll", tabindex: "0" }, t);
  if (shown.length < rows.length) box.prepend(el("p", { class: "quiet" }, `The first ${number(shown.length)} of ${number(rows.length)}.`));
  return box;
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

// canvas of a size in CSS pixels, sharp on every screen.
function canvas(width, height) {
  const ratio = window.devicePixelRatio || 1;
  const c = el("canvas", { width: Math.round(width * ratio), height: Math.round(height * ratio) });
  c.style.width = width + "px";
  c.style.height = height + "px";
  const pen = c.getContext("2d");
  pen.scale(ratio, ratio);
  return [c, pen];
}

// later joins many wishes to draw into one, in the next frame.
function later(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; draw(); });
  };
}

// legend of [class or drawing, words].
function legend(node, entries) {
  show(node, ...entries.map(([shape, words]) => {
    const s = svg("svg", { width: 22, height: 14, "aria-hidden": "true" });
    for (const [tag, attrs] of shape) s.append(svg(tag, attrs));
    return el("li", null, s, words);
  }));
}
