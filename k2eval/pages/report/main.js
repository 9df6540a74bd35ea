// Put the parts together: boxes change the state, the state fills the grid, and the grid opens samples.
const grid = new Grid(byId("grid"), (run, question, repeat, focus) => {
  const shown = panel.show(run, question, repeat, focus);
  grid.mark();
  return shown;
});

function refresh() {
  const result = filtered();
  grid.show(result);
  byId("count").textContent = `${count(result.fitting)} of ${count(result.all)} samples, ${count(result.questions.length)} questions`;
}

let searching = 0;
let pause = 0;
function search() {
  clearTimeout(pause);
  searching += 1;
  refresh();
  findInSample(state.search.trim());
  const wanted = state.search.trim();
  if (!state.inTexts || !wanted || task().hidden) { hits = state.inTexts ? hits : null; byId("searched").textContent = ""; refresh(); return; }
  const [mine, where] = [searching, task()];
  pause = setTimeout(async () => {
    const progress = (done, all) => {
      if (mine === searching) byId("searched").textContent = `searched ${Math.round((100 * done) / all)} % of the texts`;
      return mine === searching;
    };
    let found;
    try { found = await texts.search(where, wanted, progress); } catch (error) {
      if (mine === searching) byId("searched").textContent = `the texts cannot be searched: ${error.message}`;
      return;
    }
    if (mine !== searching) return;
    hits = { ...found, task: where, words: wanted.toLowerCase() };
    byId("searched").textContent = found.missing ? `${found.missing} files beside the page are missing` : "all texts searched";
    refresh();
  }, 200);
}

fillFilters((changed) => {
  if (!tasks.length) return;
  if (changed === "task") { panel.close(); grid.build(); search(); }
  else if (changed === "run") { grid.build(); refresh(); }
  else if (changed === "search") search();
  else {
    refresh();
    if (changed === "a" || changed === "b") panel.again();
  }
  if (changed === "search") writeLinkSoon();
  else writeLink();
});
byId("copy-view").addEventListener("click", copyLink);

byId("before").addEventListener("click", () => grid.step(-1));
byId("after").addEventListener("click", () => grid.step(1));
byId("copy").addEventListener("click", copyLink);
byId("close").addEventListener("click", () => { panel.close(); grid.mark(); grid.table.focus({ preventScroll: true }); });
byId("raw").addEventListener("click", () => {
  state.raw = !state.raw;
  remembered.set("k2eval-raw", state.raw ? "yes" : "no");
  panel.again();
});
byId("pair").addEventListener("click", () => {
  if (index.runs.length < 2) { say("There is only one run."); return; }
  state.pair = !state.pair;
  panel.again();
});
byId("show-keys").addEventListener("click", () => byId("help").showModal());
listKeys();

window.addEventListener("hashchange", openLink);
if (tasks.length) {
  showState();
  grid.build();
  refresh();
  openLink();
}
