// The panel with one sample, or with the same question of two runs side by side.
function facts(pairs) {
  const list = make("dl");
  for (const [name, value] of pairs) {
    if (value === null || value === undefined || value === "") continue;
    list.append(make("dt", { textContent: name }), make("dd", {}, value));
  }
  return list;
}

function answerPart(sample) {
  if (isOfProgram(sample)) return [];
  const shown = (text) => (!state.raw && /[\\^_{}]/.test(text) ? formula(String(text), String(text), false) : String(text));
  const option = sample.options?.[String(sample.extracted ?? "").toUpperCase().charCodeAt(0) - 65];
  const chosen = sample.extracted?.length === 1 && option ? ` (${option})` : "";
  const plain = sample.options?.length > 0;
  return [
    ["Extracted", sample.extracted === null ? "none" : plain ? `${sample.extracted}${chosen}` : shown(sample.extracted)],
    ["Gold", sample.gold === null ? null : plain ? sample.gold : shown(sample.gold)],
  ];
}

// What is made of notes, whose form a recipe or a grader of others chose; they never hide the rest of a sample.
function ofNotes(fill) {
  try { return fill(); } catch {
    return [make("p", { className: "soft", textContent: "Notes of an unknown form: see all that grader and recipe noted." })];
  }
}

function whole(sample, prompt, column, i) {
  const selected = sample.generations.find((one) => one.selected);
  const [tree] = ofNotes(() => [recipeTree(sample)]);
  const rest = ofNotes(() => otherGenerations(sample));
  const outcome = column.outcome(i);
  const score = column.scores[i];
  const noted = { ...sample.detail, ...(Object.keys(sample.notes).length ? { notes: sample.notes } : {}) };
  return [
    facts([...answerPart(sample), ["Score", Number.isNaN(score) ? "none: a failure of ours" : `${score}`], ["Tokens", count(sample.tokens)],
      ["Whole recipe", sample.recipe_tokens === sample.tokens ? null : `${count(sample.recipe_tokens)} tokens`], ["Finished by", sample.finish],
      ["Grader", sample.grader], ["Marks", [sample.notes.marks ?? []].flat().join("; ")]]),
    ...ofNotes(() => programPart(sample, outcome)),
    make("h4", { textContent: "Question" }),
    prompt ? rendered(prompt, "question") : make("p", { className: "soft question", textContent: "The question's text is not at hand." }),
    make("h4", { textContent: "Response" }),
    ...(selected ? response(selected) : [make("p", { className: "soft", textContent: "No generation was kept." })]),
    ...(tree ? [make("h4", { textContent: "Recipe" }), tree] : []),
    ...(rest.length ? [make("h4", { textContent: "Other generations" }), ...rest] : []),
    Object.keys(noted).length ? folded("All that grader and recipe noted", () => make("pre", { textContent: JSON.stringify(noted, null, 1) }), { kind: "noted" }) : null,
  ].filter(Boolean);
}

function title(run, question, repeat, column, i) {
  const badge = make("span", { className: `badge ${column.kind(i)}` }, make("i", { className: "swatch" }), words(column.outcome(i)));
  return make("h3", { tabIndex: -1 }, `${task().questions[question]}, ${index.runs[run].name}, repeat ${repeat} `, badge);
}

// The column of one run: an element at once, whose texts follow.
async function columnOf(run, question, repeat) {
  const here = task();
  const column = here.columns[run];
  const box = make("article", { className: "one" });
  const i = column ? question * column.repeats + repeat : -1;
  if (!column || repeat >= column.repeats || !column.has(i)) {
    box.append(make("h3", { textContent: index.runs[run].name }), make("p", { className: "soft", textContent: "This run has no such sample." }));
    return box;
  }
  box.append(title(run, question, repeat, column, i));
  if (here.hidden) {
    box.append(facts([["Score", column.scores[i]], ["Tokens", count(column.tokens[i])]]),
      make("p", { textContent: "The texts of this benchmark are left out, as its authors ask." }));
    return box;
  }
  try {
    const [sample, prompts] = await Promise.all([texts.sample(here, run, i), texts.question(here, question)]);
    if (!sample) {
      const file = `${index.beside}/${texts.pieceOf(column.pieces, i)}.js`;
      box.append(make("p", { className: "missing", textContent: `The file ${file} is missing; keep the folder ${index.beside} beside the page.` }));
    } else box.append(...whole(sample, prompts?.[sample.prompt] || "", column, i));
  } catch (error) {
    box.append(make("p", { className: "missing", textContent: `The texts of this sample cannot be read (${error.message}). Make the report again.` }));
  }
  return box;
}

const panel = {
  asked: 0,
  loading: false,

  async show(run, question, repeat, focus) {
    this.asked += 1;
    const mine = this.asked;
    this.loading = true;
    state.here = [run, question, repeat];
    writeLink();
    const runs = state.pair ? [run, otherRun(run)].sort((x, y) => (y === state.a) - (x === state.a)) : [run];
    const columns = await Promise.all(runs.map((each) => columnOf(each, question, repeat)));
    if (mine !== this.asked) return;
    this.loading = false;
    byId("shown").replaceChildren(...columns);
    byId("shown").classList.toggle("pair", columns.length > 1);
    byId("viewer").classList.add("open");
    const place = byId("sample");
    place.hidden = false;
    place.scrollTop = 0;
    place.dataset.place = `${run}/${state.task}/${question}/${repeat}`;
    byId("pair").setAttribute("aria-pressed", state.pair);
    byId("raw").setAttribute("aria-pressed", state.raw);
    if (focus) place.querySelector("h3").focus();
    findInSample(state.search.trim());
  },

  again() { if (state.here) this.show(...state.here, false); },

  close() {
    if (byId("sample").hidden) return false;
    this.asked += 1;
    state.here = null;
    byId("sample").hidden = true;
    byId("viewer").classList.remove("open");
    delete byId("sample").dataset.place;
    writeLink();
    return true;
  },
};

// Mark the words of the search in the open sample, and unfold the reasoning that has them.
function findInSample(wanted) {
  window.CSS?.highlights?.delete("found");
  byId("found").textContent = "";
  if (!wanted || !window.Highlight) return;
  const place = byId("shown");
  const lower = wanted.toLowerCase();
  for (const box of place.querySelectorAll("details.reasoning")) {
    if (box.raw?.toLowerCase().includes(lower)) { box.fill(); box.open = true; }
  }
  const pattern = new RegExp(wanted.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "gi");
  const ranges = [];
  const walker = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node && ranges.length < 1000; node = walker.nextNode()) {
    for (const { index: at, 0: found } of node.data.matchAll(pattern)) {
      const range = new Range();
      range.setStart(node, at);
      range.setEnd(node, at + found.length);
      ranges.push(range);
    }
  }
  CSS.highlights.set("found", new Highlight(...ranges));
  byId("found").textContent = `“${wanted}”: ${ranges.length} in this sample`;
  ranges[0]?.startContainer.parentElement.scrollIntoView({ block: "center" });
}
