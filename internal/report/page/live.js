// A page that follows a run. The browser connects again by itself and says which block it had last.
function followRun(changed) {
  if (!run.next) return;
  const state = (words) => { $("state").textContent = words; };
  const source = new EventSource("events?after=" + encodeURIComponent(run.next));
  source.addEventListener("open", () => state(run.going ? "live" : ""));
  source.addEventListener("error", () => state("connection lost, trying again…"));
  source.addEventListener("block", (e) => {
    const atEnd = believer.t === null || believer.t >= span() * 0.999;
    takeBlock(JSON.parse(e.data));
    changed(atEnd);
  });
  source.addEventListener("steps", (e) => {
    for (const s of JSON.parse(e.data)) addStep(stepOf(s));
    filterSteps();
    changed(false);
  });
  source.addEventListener("lives", (e) => {
    run.lives = livesOf(JSON.parse(e.data));
    moves.known = news.known = -1;
    changed(false);
  });
  source.addEventListener("now", (e) => {
    const words = JSON.parse(e.data);
    $("now").textContent = words;
    $("now").hidden = !words;
  });
  const again = () => { source.close(); location.reload(); };
  source.addEventListener("resync", again);
  source.addEventListener("done", again);
}
