// The axis of time, shared by the steps, the diagram and the cursor of the beliefs.
const axis = { from: 0, to: 1, cursor: null, whole: true, draws: [] };

function span() { return Math.max(log.end, 1000); }

// look shows a piece of time. The shortest is 20 µs: clocks of different peers tell no more.
function look(from, to) {
  const all = span();
  const width = Math.min(Math.max(to - from, 20), all * 1.02);
  const low = -all * 0.01;
  axis.from = Math.min(Math.max(from, low), low + all * 1.02 - width);
  axis.to = axis.from + width;
  axis.whole = width >= all * 1.019;
  for (const d of axis.draws) d();
}
const lookAtAll = () => look(-span() * 0.01, span() * 1.01);

function zoom(factor, at) {
  const middle = at === undefined ? (axis.from + axis.to) / 2 : at;
  look(middle - (middle - axis.from) / factor, middle + (axis.to - middle) / factor);
}
function pan(part) {
  const d = (axis.to - axis.from) * part;
  look(axis.from + d, axis.to + d);
}

// ticks are round times with about one label per 90 pixels.
function ticks(from, to, pixels) {
  const rough = (to - from) / Math.max(pixels / 90, 1);
  const power = Math.pow(10, Math.floor(Math.log10(rough)));
  const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= rough) || power * 10;
  const digits = Math.max(0, Math.min(6, 6 - Math.floor(Math.log10(step) + 1e-9)));
  const out = [];
  for (let t = Math.ceil(from / step) * step; t <= to; t += step) {
    if (t >= -step / 1e3) out.push([t, (Math.abs(t) / 1e6).toFixed(digits) + " s"]);
  }
  return out;
}
