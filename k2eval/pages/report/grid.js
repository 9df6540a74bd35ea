// The grid of squares, one for each sample. Only the rows that can be seen are in the page.
const EXTRA_ROWS = 12;

class Grid {
  constructor(place, opened) {
    this.place = place;
    this.opened = opened;
    this.result = { left: [], questions: [], fitting: 0, all: 0 };
    this.rows = new Map();
    this.active = null; // [run, i]: the square that arrow keys start from
    place.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(place);
    place.addEventListener("click", ({ target }) => {
      const square = target.closest("td.cell");
      if (square?.dataset.i) this.open(Number(square.dataset.run), Number(square.dataset.i), false);
    });
    place.addEventListener("keydown", (event) => this.press(event));
  }

  // Build the table of a task anew.
  build() {
    const here = task();
    this.runs = shownRuns();
    const heads = this.runs.map((run) => make("th", {
      scope: "colgroup", colSpan: here.columns[run].repeats + 1, textContent: index.runs[run].name, title: index.runs[run].label,
    }));
    this.body = make("tbody");
    this.table = make("table", { tabIndex: 0 }, make("caption", { className: "unseen", textContent: `Samples of ${here.title}` }),
      make("thead", {}, make("tr", {}, make("th", { scope: "col", textContent: "Question" }), heads)), this.body);
    this.table.setAttribute("role", "grid");
    this.place.replaceChildren(this.table);
    this.place.scrollTop = 0;
    this.active = null;
  }

  // Show what the filters leave.
  show(result) {
    this.result = result;
    this.rows.clear();
    this.body.replaceChildren();
    this.order = new Map(result.questions.map((question, row) => [question, row]));
    this.table.setAttribute("aria-rowcount", result.questions.length + 1);
    if (!this.active || !this.isLeft(...this.active)) this.active = this.first();
    this.draw();
  }

  isLeft(run, i) {
    return this.runs.includes(run) && Boolean(this.result.left[run]?.[i]) && this.order.has(this.questionOf(run, i));
  }

  questionOf(run, i) { return Math.floor(i / task().columns[run].repeats); }

  first() { return this.squares(this.result.questions[0])[0] || null; }

  // The squares of a question that the filters leave, from left to right.
  squares(question) {
    const found = [];
    if (question === undefined) return found;
    for (const run of this.runs) {
      const { repeats } = task().columns[run];
      for (let i = question * repeats; i < (question + 1) * repeats; i += 1) if (this.result.left[run][i]) found.push([run, i]);
    }
    return found;
  }

  rowHeight() { return parseFloat(getComputedStyle(this.place).getPropertyValue("--row")) || 26; }

  // Put the rows into the page that can be seen, and a few around them.
  draw() {
    if (!this.body) return;
    const height = this.rowHeight();
    const { questions } = this.result;
    const from = Math.max(0, Math.floor(this.place.scrollTop / height) - EXTRA_ROWS);
    const to = Math.min(questions.length, Math.ceil((this.place.scrollTop + this.place.clientHeight) / height) + EXTRA_ROWS);
    const wanted = new Map();
    for (let row = from; row < to; row += 1) wanted.set(questions[row], this.rows.get(questions[row]) || this.row(questions[row], row));
    this.rows = wanted;
    const spacer = (rows) => {
      const line = make("tr", { className: "spacer" });
      line.style.height = `${rows * height}px`;
      line.setAttribute("aria-hidden", "true");
      return line;
    };
    this.body.replaceChildren(spacer(from), ...wanted.values(), spacer(questions.length - to));
    this.mark();
  }

  row(question, number) {
    const here = task();
    const line = make("tr", {}, make("th", { scope: "row", className: "name", title: here.previews[question] || "" }, make("bdi", { textContent: here.questions[question] })));
    line.setAttribute("aria-rowindex", number + 2);
    for (const run of this.runs) {
      const column = here.columns[run];
      for (let repeat = 0; repeat < column.repeats; repeat += 1) line.append(this.square(run, question, repeat));
      const mean = here.means[run][question];
      line.append(make("td", { className: "share", textContent: Number.isNaN(mean) ? "–" : `${Math.round(100 * mean)} %` }));
    }
    return line;
  }

  square(run, question, repeat) {
    const column = task().columns[run];
    const i = question * column.repeats + repeat;
    if (!column.has(i)) return make("td", { className: "cell none", ariaLabel: "no verdict" }, make("i"));
    const score = column.scores[i];
    const part = score > 0 && score < 1 ? ` ${Math.round(100 * score)} %` : "";
    const label = `${index.runs[run].name}, repeat ${repeat}: ${words(column.outcome(i))}${part}, ${count(column.tokens[i])} tokens`;
    const left = this.result.left[run][i] ? "" : " out";
    return make("td", { id: `s-${run}-${i}`, className: `cell ${column.kind(i)}${left}`, title: label, ariaLabel: label, dataset: { run, i } }, make("i"));
  }

  // Show which square is open, and which one the keyboard is at.
  mark() {
    for (const kind of ["here", "active"]) this.body.querySelectorAll(`.${kind}`).forEach((square) => square.classList.remove(kind));
    if (state.here) {
      const [run, question, repeat] = state.here;
      const { repeats } = task().columns[run] || {};
      byId(`s-${run}-${question * repeats + repeat}`)?.classList.add("here");
    }
    const active = this.active && byId(`s-${this.active[0]}-${this.active[1]}`);
    active?.classList.add("active");
    if (active) this.table.setAttribute("aria-activedescendant", active.id);
    else this.table.removeAttribute("aria-activedescendant");
  }

  goTo(run, i) {
    this.active = [run, i];
    const row = this.order.get(this.questionOf(run, i));
    if (row === undefined) return;
    const height = this.rowHeight();
    const head = this.table.tHead.offsetHeight;
    const [top, room] = [row * height, this.place.clientHeight - head];
    if (top < this.place.scrollTop) this.place.scrollTop = top;
    else if (top + height > this.place.scrollTop + room) this.place.scrollTop = top + height - room;
    this.draw();
    byId(`s-${run}-${i}`)?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  open(run, i, focus) {
    this.active = [run, i];
    return this.opened(run, this.questionOf(run, i), i % task().columns[run].repeats, focus);
  }

  // The next sample that the filters leave, in reading order.
  step(by) {
    const { questions } = this.result;
    if (!this.active) return;
    if (!state.here) { this.open(...this.active, false); this.goTo(...this.active); return; }
    const [run, question, repeat] = state.here;
    const row = this.order.get(question);
    const squares = this.squares(question);
    const at = squares.findIndex(([r, i]) => r === run && i === question * task().columns[run].repeats + repeat);
    let next = row === undefined || at < 0 ? this.first() : squares[at + by];
    for (let other = row + by; !next && other >= 0 && other < questions.length; other += by) next = this.squares(questions[other]).at(by > 0 ? 0 : -1);
    if (!next) return;
    this.open(...next, false);
    this.goTo(...next);
  }

  press(event) {
    if (!this.active || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" || event.key === " ") this.open(...this.active, event.key === "Enter");
    else {
      const next = this.neighbour(event.key);
      if (next === undefined) return;
      if (next) this.goTo(...next);
    }
    event.preventDefault();
  }

  // The square that a key leads to: hidden squares are skipped. Undefined for other keys, null if there is none.
  neighbour(key) {
    const [run, i] = this.active;
    const question = this.questionOf(run, i);
    const squares = this.squares(question);
    const at = squares.findIndex(([r, n]) => r === run && n === i);
    const { repeats } = task().columns[run];
    const pageful = Math.max(1, Math.floor(this.place.clientHeight / this.rowHeight()) - 2);
    const down = { ArrowDown: 1, ArrowUp: -1, PageDown: pageful, PageUp: -pageful }[key];
    if (key === "ArrowLeft") return squares[at - 1] || null;
    if (key === "ArrowRight") return squares[at + 1] || null;
    if (key === "Home") return squares[0];
    if (key === "End") return squares.at(-1);
    if (!down) return undefined;
    const { questions } = this.result;
    const rows = questions.length - 1;
    for (let row = Math.max(0, Math.min(rows, this.order.get(question) + down)); row >= 0 && row <= rows; row += Math.sign(down)) {
      const same = questions[row] * repeats + (i % repeats);
      if (questions[row] !== question && this.result.left[run][same]) return [run, same];
    }
    return null;
  }
}
