// The table of steps: its filter, and the rows of a run that goes on.
function filterSteps() {
  const text = $("step-text").value.toLowerCase(), status = $("step-status").value;
  let shown = 0, all = 0, section = null, any = false;
  for (const row of $("step-table").tBodies[0].rows) {
    if (row.classList.contains("section")) {
      if (section) section.hidden = !any;
      section = row;
      any = false;
      continue;
    }
    if (!row.classList.contains("step")) continue;
    all++;
    const fits = (!status || row.dataset.status === status) && (!text || row.textContent.toLowerCase().includes(text));
    row.hidden = !fits;
    if (fits) { shown++; any = true; }
  }
  if (section) section.hidden = !any;
  $("step-count").textContent = (shown === all ? "" : number(shown) + " of ") + counted(all, "step");
}

const symbols = { passed: "✓", failed: "✗", skipped: "–", running: "▸" };

// addStep takes a step of a run that goes on; the same one that runs still is replaced.
function addStep(s) {
  const body = $("step-table").tBodies[0], last = run.steps[run.steps.length - 1];
  const at = run.steps.findIndex((o) => o.status === "running" && o.line === s.line && o.from === s.from && o.text === s.text);
  for (const row of body.querySelectorAll(".empty")) row.remove();
  const row = el("tr", { class: "step", "data-status": s.status },
    el("td", { class: s.status }, `${symbols[s.status] || ""} ${s.status}`), el("td", { class: "num" }, seconds(s.from)),
    el("td", { class: "num" }, s.status === "running" ? "" : took(s.took)), el("td", { class: "num" }, String(s.line)),
    el("td", null, el("code", null, s.text), s.err ? el("p", { class: "error" }, s.err) : null));
  if (at >= 0) {
    body.querySelectorAll("tr.step")[at].replaceWith(row);
    run.steps[at] = s;
  } else {
    if (s.section && s.section !== (last ? last.section : "")) {
      body.append(el("tr", { class: "section" }, el("th", { scope: "rowgroup", colspan: 5 }, s.section)));
      run.sections.push({ title: s.section, from: s.from });
    }
    body.append(row);
    run.steps.push(s);
  }
  const count = (status) => run.steps.filter((r) => r.status === status).length;
  $("counts").textContent = `${count("passed")} passed, ${count("failed")} failed, ${count("skipped")} skipped`;
}

function steerSteps() {
  $("step-text").addEventListener("input", filterSteps);
  $("step-status").addEventListener("change", filterSteps);
  $("step-tools").addEventListener("submit", (e) => e.preventDefault());
  filterSteps();
}
