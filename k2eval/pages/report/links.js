// Links: report.html#run/task/question/repeat names a sample, with/RUN behind it two runs side by side, and what follows
// a question mark names the filters, the order and the search.
function placeInLink() {
  if (!state.here) return "";
  const [run, question, repeat] = state.here;
  const names = [index.runs[run].name, task().name, task().questions[question], repeat];
  const other = state.pair ? `/with/${encodeURIComponent(index.runs[otherRun(run)].name)}` : "";
  return names.map(encodeURIComponent).join("/") + other;
}

// The run that stands beside another one: B beside A, and A beside all others.
function otherRun(run) { return run === state.a ? state.b : state.a; }

const nameOf = (run) => index.runs[run]?.name ?? "";
const runCalled = (name) => index.runs.findIndex((run) => run.name === name);

// What differs from the usual choice, as names and values.
function filtersInLink() {
  const query = new URLSearchParams();
  if (state.task !== USUAL.task && !state.here) query.set("task", task().name);
  if (state.run !== "") query.set("run", nameOf(Number(state.run)));
  for (const id of ["outcome", "only", "tag"]) if (state[id]) query.set(id, state[id]);
  const paired = state.pair && state.here ? [state.here[0], otherRun(state.here[0])] : [USUAL.a, USUAL.b];
  if (state.a !== paired[0] || state.b !== paired[1]) { query.set("a", nameOf(state.a)); query.set("b", nameOf(state.b)); }
  if (state.order !== USUAL.order) query.set("order", state.order);
  if (state.descending !== isDescending(state.order)) query.set("down", state.descending ? "1" : "0");
  if (state.search.trim()) query.set("search", state.search.trim());
  if (state.inTexts && state.search.trim()) query.set("texts", "1");
  return query.toString();
}

let linkIsDue = 0;
function writeLink() {
  clearTimeout(linkIsDue);
  const filters = filtersInLink();
  const link = placeInLink() + (filters ? `?${filters}` : "");
  try {
    history.replaceState(null, "", link ? `#${link}` : location.pathname + location.search);
  } catch { /* A browser may refuse many changes in a short time; the next one tells all. */ }
}

// While somebody types, the link waits.
function writeLinkSoon() {
  clearTimeout(linkIsDue);
  linkIsDue = setTimeout(writeLink, 250);
}

// The place that a link names: {run, task, question, repeat, other}; null if it names none.
function placeOf(link) {
  let names;
  try { names = link.split("/").map(decodeURIComponent); } catch { return null; }
  if (names.length !== 4 && !(names.length === 6 && names[4] === "with")) return null;
  const place = {
    run: runCalled(names[0]),
    task: tasks.findIndex((one) => one.name === names[1]),
    repeat: Number(names[3]),
    other: names.length === 6 ? runCalled(names[5]) : null,
  };
  place.question = place.task < 0 ? -1 : tasks[place.task].questions.indexOf(names[2]);
  const column = place.task < 0 ? null : tasks[place.task].columns[place.run];
  const there = column && place.question >= 0 && place.repeat >= 0 && place.repeat < column.repeats
    && column.has(place.question * column.repeats + place.repeat) && place.other !== -1;
  return there ? place : null;
}

// Take the filters of a link; those that this page does not have stay as usual.
function takeFilters(query) {
  const given = new URLSearchParams(query);
  const has = (id, value) => [...byId(id).options].some((option) => option.value === value);
  Object.assign(state, USUAL);
  state.task = Math.max(0, tasks.findIndex((one) => one.name === given.get("task")));
  fillOfTask();
  const run = runCalled(given.get("run"));
  if (run >= 0) state.run = String(run);
  for (const id of ["outcome", "only", "tag", "order"]) if (has(id, given.get(id) ?? "")) state[id] = given.get(id) ?? USUAL[id];
  for (const id of ["a", "b"]) if (runCalled(given.get(id)) >= 0) state[id] = runCalled(given.get(id));
  state.descending = given.has("down") ? given.get("down") === "1" : isDescending(state.order);
  state.search = given.get("search") ?? "";
  state.inTexts = given.get("texts") === "1";
}

// Show what the link names.
function openLink() {
  if (!tasks.length) return;
  const [names, query] = location.hash.slice(1).split(/\?(.*)/s);
  const place = placeOf(names);
  if (!place && names.split("/").length >= 4) say("This page has no such sample.");
  if (!place && query === undefined) return;
  takeFilters(place ? `task=${encodeURIComponent(tasks[place.task].name)}&${query ?? ""}` : query);
  if (place?.other != null && !new URLSearchParams(query).has("a")) [state.a, state.b] = [place.run, place.other];
  state.pair = place ? place.other !== null : state.pair;
  showState();
  if (!place) panel.close();
  grid.build();
  search();
  if (!place) { byId("samples").scrollIntoView(); return; }
  const i = place.question * task().columns[place.run].repeats + place.repeat;
  grid.goTo(place.run, i);
  grid.open(place.run, i, false).then(() => byId("viewer").scrollIntoView());
}

async function copyLink() {
  writeLink();
  const address = location.href;
  try {
    await navigator.clipboard.writeText(address);
  } catch {
    const box = make("textarea", { value: address });
    document.body.append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
  }
  say("The link was copied.");
}

// Tell something to those who look and to those who listen.
let sayingEnds = 0;
function say(message) {
  byId("said").textContent = message;
  clearTimeout(sayingEnds);
  sayingEnds = setTimeout(() => { byId("said").textContent = ""; }, 4000);
}
