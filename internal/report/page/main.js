// What is drawn, and when.
const redraw = later(drawDiagram);
const redrawAll = later(() => { drawDiagram(); drawBeliefs(); drawCurve(); });
const tellTables = later(() => { tellMessages(); tellFaults(); if ($("event-window").checked) drawList(); });

axis.draws.push(redraw, tellTables);
legend($("diagram-legend"), [
  [[["circle", { cx: 4, cy: 7, r: 3, class: "origin" }], ["line", { x1: 4, x2: 16, y1: 7, y2: 7, class: "arrow" }], ["circle", { cx: 17, cy: 7, r: 3, class: "ring" }]], "message, sent and first delivered"],
  [[["line", { x1: 1, x2: 14, y1: 7, y2: 7, class: "drop" }], ["path", { d: "M14 4L20 10M14 10L20 4", class: "cross" }]], "dropped"],
  [[["rect", { x: 1, y: 1, width: 19, height: 12, class: "band" }]], "partition (lighter: another fault)"],
  [[["polygon", { points: "5,11 15,11 10,2", class: "mark-join" }]], "joins"],
  [[["polygon", { points: "5,3 15,3 10,12", class: "mark-leave" }]], "leaves"],
  [[["polygon", { points: "6,11 14,11 10,4", class: "mark-suspected" }]], "suspects somebody"],
  [[["polygon", { points: "6,4 14,4 10,11", class: "mark-lost" }]], "takes somebody for lost"],
  [[["polygon", { points: "6,11 14,11 10,4", class: "mark-recovered" }]], "takes somebody for alive again"],
  [[["path", { d: "M5 2L15 12M5 12L15 2", class: "mark-kill" }]], "process ended"],
  [[["line", { x1: 10, x2: 10, y1: 0, y2: 14, class: "cursor" }]], "time of the beliefs"],
]);
steer();
steerBeliefs();
steerCurve();
steerSteps();
steerList();
lookAtAll();
// The end of the steps: behind it, peers leave one after the other. A run that goes on is looked at where it is.
const lastStep = run.steps[run.steps.length - 1];
setCursor(lastStep && !run.going ? lastStep.from + lastStep.took : span());
offerKinds();
drawCurve();
drawList();
followRun((atEnd) => {
  if (axis.whole) lookAtAll();
  if (atEnd) { believer.t = span(); axis.cursor = believer.t; $("belief-time").value = $("belief-time").max; }
  offerKinds();
  if (list.from === 0) drawList();
  redrawAll();
  tellTables();
});
// A change of the width or of the colours draws everything again.
let width = document.body.clientWidth;
new ResizeObserver(() => {
  if (document.body.clientWidth === width) return;
  width = document.body.clientWidth;
  redrawAll();
}).observe(document.body);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawAll);
document.documentElement.dataset.ready = "yes";
