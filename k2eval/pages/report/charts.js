// Charts: the name and the values of a point when the pointer is near, and one run brought forward in all charts.
const tip = make("div", { className: "tip", hidden: true });
document.body.append(tip);

function bring(run) {
  document.body.classList.toggle("brought", run !== null);
  document.querySelectorAll("[data-series].front").forEach((each) => each.classList.remove("front"));
  if (run !== null) document.querySelectorAll(`[data-series="${CSS.escape(run)}"]`).forEach((each) => each.classList.add("front"));
}

// The point of a chart that is nearest to the pointer, or the bar below it; null if none is near.
const NEAR = 18;
function pointAt({ target, clientX, clientY }) {
  const chart = target.closest?.("svg.chart");
  if (!chart) return null;
  let [nearest, least] = [target.closest("rect[data-tip]"), NEAR];
  for (const point of chart.querySelectorAll("circle[data-tip]")) {
    const box = point.getBoundingClientRect();
    const distance = Math.hypot(clientX - (box.left + box.right) / 2, clientY - (box.top + box.bottom) / 2);
    if (distance < least) [nearest, least] = [point, distance];
  }
  return nearest;
}

let pinned = null;
function look(event) {
  const point = pointAt(event);
  const series = (point || event.target).closest?.("[data-series]");
  bring(series ? series.dataset.series : pinned);
  tip.hidden = !point;
  if (!point) return;
  tip.textContent = point.dataset.tip;
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 4))}px`;
  tip.style.top = `${Math.max(4, event.clientY - tip.offsetHeight - 10)}px`;
}
document.addEventListener("pointermove", look);
document.addEventListener("pointerdown", look);
document.addEventListener("click", ({ target }) => {
  const button = target.closest(".legend button");
  if (!button) return;
  pinned = pinned === button.dataset.series ? null : button.dataset.series;
  document.querySelectorAll(".legend button").forEach((each) => each.setAttribute("aria-pressed", each.dataset.series === pinned));
  bring(pinned);
});
