// Which samples the filters leave, and in which order their questions stand.
const FLIPS = {
  flipped: (a, b) => (a >= 0.5) !== (b >= 0.5),
  lost: (a, b) => a >= 0.5 && b < 0.5,
  won: (a, b) => a < 0.5 && b >= 0.5,
};
const BOXES = ["task", "run", "outcome", "only", "tag", "order", "a", "b"];
let hits = null; // of the search in texts: {task, words, questions, runs}

// The difference between the best and the worst run on a question.
function disagreement(task, question) {
  let [low, high] = [Infinity, -Infinity];
  for (const run of task.present) {
    const mean = task.means[run][question];
    if (Number.isNaN(mean)) continue;
    low = Math.min(low, mean);
    high = Math.max(high, mean);
  }
  return high - low > 0 ? high - low : 0;
}

// The number of each question's value of a tag, and the number that is wanted; null if there is no such value.
function wantedTag(task) {
  for (const { name, values, of } of task.tags) {
    const number = values.findIndex((value) => tagged(name, value) === state.tag);
    if (number >= 0) return { of, number };
  }
  return null;
}

const tagged = (name, value) => `${name}=${value}`;

function isShown(task, question, tag) {
  if (tag && tag.of[question] !== tag.number) return false;
  if (!state.only) return true;
  if (state.only === "runs") return disagreement(task, question) > 1e-6;
  if (state.only === "repeats") return task.present.some((run) => task.columns[run].varies(question));
  const [a, b] = [state.a, state.b].map((run) => (task.means[run] ? task.means[run][question] : NaN));
  return !Number.isNaN(a) && !Number.isNaN(b) && FLIPS[state.only](a, b);
}

function shownRuns() {
  return state.run === "" ? task().present : task().present.filter((run) => run === Number(state.run));
}

// For each run a flag of each sample that the filters leave, and the questions that have any.
function filtered() {
  const here = task();
  const wanted = state.search.trim().toLowerCase();
  const found = hits && hits.task === here && hits.words === wanted ? hits : null;
  const left = here.columns.map((column) => column && new Uint8Array(column.size));
  const questions = [];
  let [fitting, all] = [0, 0];
  const tag = wantedTag(here);
  const shown = here.questions.map((_, question) => isShown(here, question, tag));
  const inQuestion = here.questions.map((_, q) => !wanted || here.lower[q].includes(wanted) || Boolean(found?.questions.has(q)));
  const keep = new Uint8Array(here.questions.length);
  for (const run of shownRuns()) {
    const column = here.columns[run];
    const inAnswer = wanted ? column.answers.map((answer) => answer.toLowerCase().includes(wanted)) : [];
    const ofOutcome = index.outcomes.map(([outcome]) => state.outcome === "" || outcome === state.outcome);
    for (let i = 0; i < column.size; i += 1) {
      if (!column.has(i)) continue;
      all += 1;
      const question = Math.floor(i / column.repeats);
      if (!shown[question] || !ofOutcome[column.codes[i]]) continue;
      if (!inQuestion[question] && !inAnswer[column.answer[i]] && !found?.runs[run].has(i)) continue;
      left[run][i] = 1;
      fitting += 1;
      keep[question] = 1;
    }
  }
  for (let question = 0; question < keep.length; question += 1) if (keep[question]) questions.push(question);
  return { left, questions: ordered(questions), fitting, all };
}

const KEYS = {
  id: (_, question) => question,
  score: (here, question) => meanOver(here, question, (run) => here.means[run][question]),
  disagreement,
  tokens: (here, question) => meanOver(here, question, (run) => here.columns[run].meanTokens(question)),
};

function meanOver(here, question, valueOf) {
  const values = shownRuns().map(valueOf).filter((value) => !Number.isNaN(value));
  return values.length ? values.reduce((a, b) => a + b, 0) / values.length : Infinity;
}

function ordered(questions) {
  const here = task();
  const key = new Map(questions.map((question) => [question, KEYS[state.order](here, question)]));
  const way = state.descending ? -1 : 1;
  return questions.sort((a, b) => way * (key.get(a) - key.get(b)) || a - b);
}

// Fill the boxes, and tell their changes.
function fillFilters(changed) {
  byId("run").append(new Option("all", ""));
  index.runs.forEach((run, i) => {
    for (const id of ["run", "a", "b"]) byId(id).append(new Option(run.name, i));
  });
  fillTasks();
  const numbers = new Set(["task", "a", "b"]);
  for (const id of BOXES) {
    byId(id).addEventListener("change", ({ target }) => {
      state[id] = numbers.has(id) ? Number(target.value) : target.value;
      if (id === "task") fillOfTask();
      if (id === "order") state.descending = isDescending(target.value);
      showDirection();
      changed(id);
    });
  }
  byId("direction").addEventListener("click", () => { state.descending = !state.descending; showDirection(); changed("order"); });
  byId("search").addEventListener("input", ({ target }) => { state.search = target.value; changed("search"); });
  byId("in-texts").addEventListener("change", ({ target }) => { state.inTexts = target.checked; changed("search"); });
}

// The order in which a key is more useful.
const isDescending = (order) => order === "disagreement";

function fillTasks() {
  byId("task").replaceChildren(...tasks.map((one, i) => new Option(one.title, i)));
  if (tasks.length) fillOfTask();
}

function fillOfTask() {
  fillOutcomes();
  fillTags();
}

// Let the boxes show the state.
function showState() {
  for (const id of BOXES) byId(id).value = state[id];
  byId("search").value = state.search;
  byId("in-texts").checked = state.inTexts;
  showDirection();
}

function showDirection() {
  byId("direction").textContent = state.descending ? "↓ largest first" : "↑ smallest first";
}

function fillOutcomes() {
  const counts = new Map();
  for (const run of task().present) {
    const column = task().columns[run];
    for (let i = 0; i < column.size; i += 1) if (column.has(i)) counts.set(column.outcome(i), (counts.get(column.outcome(i)) || 0) + 1);
  }
  const box = byId("outcome");
  box.replaceChildren(new Option("all", ""));
  for (const [outcome, many] of [...counts].sort()) box.append(new Option(`${words(outcome)} (${count(many)})`, outcome));
  if (!counts.has(state.outcome)) state.outcome = "";
  box.value = state.outcome;
}

function fillTags() {
  const box = byId("tag");
  box.replaceChildren(new Option("all", ""));
  for (const { name, values, of } of task().tags) {
    const group = make("optgroup", { label: name });
    const counts = new Map();
    for (const number of of) counts.set(number, (counts.get(number) || 0) + 1);
    values.forEach((value, i) => group.append(new Option(`${value} (${count(counts.get(i) || 0)})`, tagged(name, value))));
    box.append(group);
  }
  if (!wantedTag(task())) state.tag = "";
  box.value = state.tag;
  box.closest("label").hidden = !task().tags.length;
}
