// A page of `k2eval view` asks for samples that have come since, and shows them with the same filters.
const ASKED_AGAIN_MS = 5000;

function renew(latest) {
  const { here } = state;
  const open = here && [index.runs[here[0]].name, task().name, task().questions[here[1]], here[2]];
  const chosen = task()?.name;
  const top = grid.place.scrollTop;
  const active = grid.active && [grid.active[0], task().questions[grid.questionOf(...grid.active)], grid.active[1] % task().columns[grid.active[0]].repeats];
  Object.assign(index, latest);
  tasks.splice(0, tasks.length, ...index.tasks.map(taskOf));
  texts.forget();
  hits = null;
  state.task = Math.max(0, tasks.findIndex((one) => one.name === chosen));
  if (!tasks.length) return;
  fillTasks();
  showState();
  if (open) {
    const question = task().questions.indexOf(open[2]);
    if (task().name === open[1] && question >= 0) state.here = [here[0], question, here[2]];
    else panel.close();
  }
  grid.build();
  if (active) {
    const [run, name, repeat] = active;
    const question = task().questions.indexOf(name);
    if (question >= 0 && task().columns[run]) grid.active = [run, question * task().columns[run].repeats + repeat];
  }
  search();
  grid.place.scrollTop = top;
  if (panel.loading) panel.again();
  byId("renewed").hidden = false;
}

async function latestOf() {
  try {
    const answer = await fetch(`${index.later}&known=${encodeURIComponent(index.name)}`);
    return answer.ok ? await answer.json() : null;
  } catch {
    byId("running").textContent = "k2eval view has ended. Start it again to go on.";
    return null;
  }
}

const tellRunning = () => { byId("running").textContent = index.running ? "Running: new samples appear below." : ""; };

async function askAgain() {
  const latest = document.hidden ? null : await latestOf();
  setTimeout(askAgain, ASKED_AGAIN_MS);
  if (!latest) return;
  if (latest.tasks) renew(latest);
  index.running = latest.running;
  tellRunning();
}

tellRunning();
setTimeout(askAgain, ASKED_AGAIN_MS);
