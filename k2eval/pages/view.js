// The list of runs, which is asked for again while the page is looked at. Texts enter the page as text, never as markup.
const body = document.getElementById("runs");
const search = document.getElementById("search");
const chosen = new Set(kept());
let described = JSON.parse(document.getElementById("described").textContent);

// The choice outlives a look at a board, and "back".
function kept() {
  try { return JSON.parse(sessionStorage.getItem("k2eval-chosen") ?? "[]"); } catch { return []; }
}

function keep() {
  try { sessionStorage.setItem("k2eval-chosen", JSON.stringify([...chosen])); } catch { /* not kept */ }
}

function nameCell(run) {
  const facts = [run.model, run.recipe && `recipe ${run.recipe}`, run.started && `since ${run.started.replace("T", " ").replace("Z", " UTC")}`];
  const more = run.fault || (run.state === "running" ? run.summary : "");
  const lines = [facts.filter(Boolean).join(", "), run.key !== run.name ? run.key : "", more].filter(Boolean);
  const name = run.state === "unreadable" ? run.name : make("a", { href: `report?${new URLSearchParams({ run: run.key })}`, textContent: run.name });
  return make("th", { scope: "rowgroup", rowSpan: Math.max(1, run.tasks.length) }, name, " ",
    make("span", { className: `state ${run.state}`, textContent: run.state }),
    ...lines.map((line) => make("small", { textContent: line })));
}

function rowsOf(run) {
  const box = make("input", { type: "checkbox", name: "run", autocomplete: "off", value: run.key, checked: chosen.has(run.key), disabled: run.state === "unreadable" });
  box.setAttribute("aria-label", `Choose ${run.name}`);
  const rows = (run.tasks.length ? run.tasks : [{}]).map((task) => make("tr", {},
    make("td", { className: "left", textContent: task.title ?? "" }),
    ...["done", "score", "truncated", "no_answer", "failed"].map((name) => make("td", { textContent: task[name] ?? "" }))));
  rows[0].prepend(make("td", { className: "box", rowSpan: rows.length }, box), nameCell(run));
  return rows;
}

function matches(run) {
  const wanted = search.value.trim().toLowerCase();
  const words = [run.name, run.key, run.model, run.recipe, ...run.tasks.map((task) => task.title)];
  return !wanted || words.some((word) => (word ?? "").toLowerCase().includes(wanted));
}

function draw() {
  const keys = new Set(described.runs.map((run) => run.key));
  for (const key of chosen) if (!keys.has(key)) chosen.delete(key);
  const focused = document.activeElement?.name === "run" ? document.activeElement.value : null;
  const shown = described.runs.filter(matches);
  body.replaceChildren(...shown.flatMap(rowsOf));
  if (focused !== null) [...body.querySelectorAll("input")].find((box) => box.value === focused)?.focus();
  const running = described.runs.filter((run) => run.state === "running").length;
  document.getElementById("count").textContent = `${shown.length} of ${described.runs.length} runs, ${running} running, ${chosen.size} chosen`;
  for (const button of document.querySelectorAll("#choice button[data-least]")) button.disabled = chosen.size < Number(button.dataset.least);
  const pages = document.getElementById("pages");
  pages.hidden = !described.pages.length;
  pages.querySelector("ul").replaceChildren(...described.pages.map((path) => make("li", {},
    make("a", { href: `page?${new URLSearchParams({ path })}`, textContent: path }))));
}

async function ask() {
  if (!document.hidden) {
    try {
      const answer = await fetch("runs.json");
      if (answer.ok) {
        described = await answer.json();
        draw();
      }
    } catch { document.getElementById("count").textContent = "k2eval view has ended. Start it again to go on."; }
  }
  setTimeout(ask, 2500);
}

body.addEventListener("change", ({ target }) => {
  if (target.checked) chosen.add(target.value); else chosen.delete(target.value);
  keep();
  draw();
});
search.addEventListener("input", draw);
search.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
document.getElementById("choice").addEventListener("submit", (event) => {
  event.preventDefault();
  const wanted = new URLSearchParams([...chosen].map((key) => ["run", key]));
  location.href = `${event.submitter.getAttribute("formaction")}?${wanted}`;
});
draw();
setTimeout(ask, 2500);
