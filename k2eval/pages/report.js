// The grid of all samples, its filters, and the viewer. Texts enter the page as text, never as markup.
const index = JSON.parse(document.getElementById("index").textContent);
const texts = new Map(Object.entries(JSON.parse(document.getElementById("texts").textContent)));
const waiting = new Map();
const [taskBox, runBox, outcomeBox, searchBox] = ["task", "run", "outcome", "search"].map((id) => document.getElementById(id));
const grid = document.getElementById("grid");
const panel = document.getElementById("sample");
let here = null;

function make(tag, fields = {}, ...children) {
  const element = Object.assign(document.createElement(tag), fields);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// Called by the files beside the page.
function k2evalText(place, payload) {
  texts.set(place, payload);
  (waiting.get(place) || []).forEach((resolve) => resolve(payload));
  waiting.delete(place);
}

function textOf(place) {
  if (texts.has(place)) return Promise.resolve(texts.get(place));
  if (!index.beside) return Promise.resolve(null);
  return new Promise((resolve) => {
    if (waiting.has(place)) { waiting.get(place).push(resolve); return; }
    waiting.set(place, [resolve]);
    const script = make("script", { src: `${index.beside}/${place}.js` });
    script.onerror = () => { waiting.delete(place); resolve(undefined); };
    document.head.append(script);
  });
}

const words = (outcome) => outcome.replaceAll("_", " ");
const task = () => index.tasks[taskBox.value];

function fillFilters() {
  index.tasks.forEach((one, i) => taskBox.append(new Option(one.title, i)));
  runBox.append(new Option("all", ""));
  index.runs.forEach((run, i) => runBox.append(new Option(run.name, i)));
  fillOutcomes();
}

function fillOutcomes() {
  const before = outcomeBox.value;
  const counts = new Map();
  for (const questions of task().cells) for (const cells of questions) for (const cell of cells) {
    if (cell) counts.set(cell[1], (counts.get(cell[1]) || 0) + 1);
  }
  outcomeBox.replaceChildren(new Option("all", ""));
  for (const [outcome, count] of [...counts].sort()) outcomeBox.append(new Option(`${words(outcome)} (${count})`, outcome));
  outcomeBox.value = counts.has(before) ? before : "";
}

function square(cell, run, question, i) {
  if (!cell) return make("span", { className: "cell none", title: "no verdict" });
  const [kind, outcome, tokens, score] = cell;
  const part = score !== null && score > 0 && score < 1 ? ` ${Math.round(100 * score)} %` : "";
  const label = `${task().questions[question]}, ${index.runs[run].name}, run ${i}: ${words(outcome)}${part}, ${tokens} tokens`;
  const button = make("button", { type: "button", className: `cell ${kind}`, title: label, tabIndex: -1 });
  button.setAttribute("aria-label", label);
  Object.assign(button.dataset, { run, question, i });
  return button;
}

function share(cells) {
  const scores = cells.filter((cell) => cell && cell[3] !== null).map((cell) => cell[3]);
  if (!scores.length) return "–";
  return `${Math.round((100 * scores.reduce((a, b) => a + b, 0)) / scores.length)} %`;
}

function drawGrid() {
  const { questions, previews, cells } = task();
  const runs = index.runs.map((_, run) => run).filter((run) => cells[run].some((row) => row.length));
  const head = make("tr", {}, make("th", { textContent: "Question", scope: "col" }),
    ...runs.map((run) => make("th", { textContent: index.runs[run].name, scope: "col", title: index.runs[run].label })));
  const body = make("tbody");
  questions.forEach((id, question) => {
    const row = make("tr", {}, make("td", { className: "name", textContent: id, title: previews[question] || id }));
    for (const run of runs) {
      const squares = make("span", { className: "cells" }, ...cells[run][question].map((cell, i) => square(cell, run, question, i)));
      const column = make("td", { className: "left" }, squares, make("span", { className: "share", textContent: share(cells[run][question]) }));
      column.dataset.run = run;
      row.append(column);
    }
    row.dataset.question = question;
    body.append(row);
  });
  grid.replaceChildren(make("table", {}, make("thead", {}, head), body));
  filter();
}

function matches(cell, question, run) {
  if (runBox.value !== "" && Number(runBox.value) !== run) return false;
  if (outcomeBox.value !== "" && cell[1] !== outcomeBox.value) return false;
  const wanted = searchBox.value.trim().toLowerCase();
  if (!wanted) return true;
  const known = [task().questions[question], task().previews[question], cell[4] || ""];
  if (known.some((text) => text.toLowerCase().includes(wanted))) return true;
  const payload = texts.get(`${run}/${taskBox.value}/${question}`);
  return Boolean(payload) && payload.prompts.some((prompt) => prompt.toLowerCase().includes(wanted));
}

function filter() {
  let left = 0;
  let all = 0;
  for (const row of grid.querySelectorAll("tbody tr")) {
    let any = false;
    for (const button of row.querySelectorAll("button.cell")) {
      const { run, question, i } = button.dataset;
      const cell = task().cells[run][question][i];
      const fits = matches(cell, Number(question), Number(run));
      button.classList.toggle("out", !fits);
      all += 1;
      left += fits;
      any ||= fits;
    }
    row.hidden = !any;
  }
  for (const column of grid.querySelectorAll("td[data-run]")) {
    column.style.opacity = runBox.value === "" || runBox.value === column.dataset.run ? "" : ".35";
  }
  document.getElementById("count").textContent = `${left} of ${all} samples`;
  const first = grid.querySelector("tr:not([hidden]) button.cell:not(.out)");
  grid.querySelectorAll('button.cell[tabindex="0"]').forEach((button) => { button.tabIndex = -1; });
  if (first) first.tabIndex = 0;
}

function folded(title, text, open = false) {
  return make("details", { open }, make("summary", { textContent: title }), make("pre", { textContent: text }));
}

// The page's maker has split reasoning from answer; the journal keeps the raw text.
function response({ reasoning, answer, complete }) {
  const length = `${reasoning.length.toLocaleString("en")} characters`;
  if (!complete) return [folded(`Reasoning, never closed (${length})`, reasoning)];
  const words = answer.trim() || (reasoning ? "(nothing after the reasoning)" : "(empty)");
  return [reasoning ? folded(`Reasoning (${length})`, reasoning) : null, make("pre", { className: "answer", textContent: words })].filter(Boolean);
}

function wordsOf({ reasoning, answer }) {
  return [reasoning, answer.trim()].filter(Boolean).join("\n\n");
}

function facts(pairs) {
  const list = make("dl");
  for (const [name, value] of pairs) {
    if (value === null || value === undefined || value === "") continue;
    list.append(make("dt", { textContent: name }), make("dd", { textContent: value }));
  }
  return list;
}

function keysOf(plan) {
  return [plan].flat().filter(Boolean);
}

function planOf(sample, plan) {
  const byKey = new Map(sample.generations.map((one) => [one.key, one]));
  const texts = keysOf(plan).map((key) => (byKey.has(key) ? wordsOf(byKey.get(key)) : key));
  return texts.length ? folded(texts.length > 1 ? `Plans (${texts.length})` : "Plan", texts.join("\n\n")) : null;
}

function candidates(sample) {
  const { notes } = sample;
  if (!Array.isArray(notes.candidates)) return [];
  const byKey = new Map(sample.generations.map((one) => [one.key, one]));
  const parts = [make("h4", { textContent: `Candidates (${notes.candidates.length})` })];
  for (const one of notes.candidates) {
    const made = byKey.get(one.generation);
    const chosen = one.index === notes.selected || (made && made.selected);
    const title = `${one.index}${chosen ? " (selected)" : ""}: ${one.answer ?? "no answer"}, ${one.tokens} tokens`;
    const inside = make("details", {}, make("summary", { textContent: title }));
    const plan = planOf(sample, one.plan);
    if (plan) inside.append(plan);
    if (made) inside.append(...response(made));
    parts.push(inside);
  }
  for (const one of notes.lost || []) parts.push(make("p", { textContent: `${one.index}: lost at ${one.stage}: ${one.reason}` }));
  return parts;
}

function judgements(sample) {
  const { notes } = sample;
  if (!Array.isArray(notes.comparisons) || !notes.comparisons.length) return [];
  const list = make("ul");
  for (const one of notes.comparisons) {
    const orders = one.orders ? `; the two orders named ${one.orders.map((named) => named ?? "none").join(" and ")}` : "";
    list.append(make("li", { textContent: `${one.pair.join(" against ")}: ${one.winner} wins (${one.ground}${orders})` }));
  }
  return [make("h4", { textContent: "Judgements" }), list];
}

function otherStages(sample) {
  const { candidates: made, plan } = sample.notes;
  const shown = new Set([...keysOf(plan), ...(made || []).flatMap((one) => [one.generation, ...keysOf(one.plan)])]);
  const rest = sample.generations.filter((one) => !one.selected && !shown.has(one.key));
  if (!rest.length) return [];
  return [make("h4", { textContent: "Other generations" }),
    ...rest.map((one) => folded(`${one.stage}: ${one.tokens} tokens, ${one.model || "model"}`, wordsOf(one)))];
}

function heading(cell, run, question, i) {
  const badge = make("span", { className: `badge ${cell[0]}`, textContent: words(cell[1]) });
  const steps = make("span", { className: "steps" },
    make("button", { type: "button", id: "before", textContent: "‹", ariaLabel: "Previous sample" }),
    make("button", { type: "button", id: "after", textContent: "›", ariaLabel: "Next sample" }));
  const name = `${task().questions[question]}, ${index.runs[run].name}, run ${i} `;
  return make("div", {}, steps, make("h3", {}, name, badge));
}

function whole(sample, prompt, cell) {
  const selected = sample.generations.find((one) => one.selected);
  const { plan, marks } = sample.notes;
  const detail = Object.keys(sample.detail).length ? JSON.stringify(sample.detail, null, 1) : null;
  return [
    facts([["Extracted", sample.extracted ?? "none"], ["Gold", sample.gold], ["Score", cell[3]], ["Tokens", sample.tokens],
      ["Whole recipe", sample.recipe_tokens === sample.tokens ? null : sample.recipe_tokens], ["Finished by", sample.finish],
      ["Grader", sample.grader], ["Marks", (marks || []).join("; ")]]),
    detail ? folded("Why", detail, cell[1] !== "correct" && detail.length < 600) : null,
    make("h4", { textContent: "Question" }),
    make("pre", { className: "question", textContent: prompt || "(the question's text is not at hand)" }),
    planOf(sample, plan),
    make("h4", { textContent: "Response" }),
    ...(selected ? response(selected) : [make("p", { className: "soft", textContent: "No generation was kept." })]),
    ...candidates(sample), ...judgements(sample), ...otherStages(sample),
  ].filter(Boolean);
}

async function show(run, question, i, focus = true) {
  const cell = task().cells[run]?.[question]?.[i];
  if (!cell) return;
  here = [run, question, i];
  const place = `${run}/${taskBox.value}/${question}`;
  grid.querySelectorAll(".cell.here").forEach((button) => button.classList.remove("here"));
  const button = grid.querySelector(`button[data-run="${run}"][data-question="${question}"][data-i="${i}"]`);
  button?.classList.add("here");
  const top = heading(cell, run, question, i);
  if (task().hidden) {
    panel.replaceChildren(top, facts([["Score", cell[3]], ["Tokens", cell[2]]]),
      make("p", { textContent: "The texts of this benchmark are left out, as its authors ask." }));
  } else {
    const payload = await textOf(place);
    if (here[0] !== run || here[1] !== question || here[2] !== i) return;
    const sample = payload?.samples[i];
    panel.replaceChildren(top, ...(sample ? whole(sample, payload.prompts[sample.prompt], cell)
      : [make("p", { textContent: `The file ${index.beside}/${place}.js is missing; keep it beside the page.` })]));
  }
  panel.dataset.place = `${place}/${i}`;
  panel.scrollTop = 0;
  if (focus && matchMedia("(max-width: 900px)").matches) panel.scrollIntoView();
}

function step(by) {
  const open = [...grid.querySelectorAll("tr:not([hidden]) button.cell:not(.out)")];
  if (!open.length) return;
  const at = open.findIndex((button) => button.classList.contains("here"));
  const next = open[at < 0 ? 0 : Math.min(Math.max(at + by, 0), open.length - 1)];
  next.scrollIntoView({ block: "nearest" });
  next.click();
}

// Arrow keys walk over the squares that the filters leave visible.
function walk(from, key) {
  const row = from.closest("tr");
  const column = [...row.querySelectorAll(".cell")].indexOf(from);
  const along = (start, way) => {
    let next = start;
    do next = next && next[way]; while (next && next.hidden);
    return next;
  };
  if (key === "ArrowLeft" || key === "ArrowRight") {
    const squares = [...row.querySelectorAll("button.cell")];
    return squares[squares.indexOf(from) + (key === "ArrowLeft" ? -1 : 1)];
  }
  const next = along(row, key === "ArrowUp" ? "previousElementSibling" : "nextElementSibling");
  const target = next && next.querySelectorAll(".cell")[column];
  return target && target.matches("button") ? target : null;
}

grid.addEventListener("click", (event) => {
  const button = event.target.closest("button.cell");
  if (button) show(Number(button.dataset.run), Number(button.dataset.question), Number(button.dataset.i));
});
grid.addEventListener("keydown", (event) => {
  const from = event.target.closest("button.cell");
  if (!from || !event.key.startsWith("Arrow")) return;
  event.preventDefault();
  const next = walk(from, event.key);
  if (!next) return;
  from.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
});
panel.addEventListener("click", (event) => {
  if (event.target.id === "before") step(-1);
  if (event.target.id === "after") step(1);
});
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "j") step(1);
  if (event.key === "k") step(-1);
});
taskBox.addEventListener("change", () => { fillOutcomes(); drawGrid(); });
for (const box of [runBox, outcomeBox]) box.addEventListener("change", filter);
searchBox.addEventListener("input", filter);

fillFilters();
drawGrid();
