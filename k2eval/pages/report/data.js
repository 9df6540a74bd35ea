// The index of all samples. Each run of a task is a set of columns; a sample's place in them is question * repeats + repeat.
const index = JSON.parse(document.getElementById("index").textContent);
const CODES = "abcdefghijklmnopqrstuvwxyz";
const words = (outcome) => outcome.replaceAll("_", " ");
const count = (number) => number.toLocaleString("en");

class Column {
  constructor(described, questions) {
    this.repeats = described.repeats;
    this.size = questions * described.repeats;
    this.tokens = described.tokens;
    this.answers = described.answers;
    this.answer = described.answer;
    this.pieces = described.pieces || [];
    this.codes = new Int8Array(this.size);
    this.scores = new Float32Array(this.size);
    const scored = index.outcomes.map(([outcome, kind]) => (kind === "infrastructure" ? NaN : Number(outcome === "correct")));
    for (let i = 0; i < this.size; i += 1) {
      const code = CODES.indexOf(described.outcomes[i]);
      this.codes[i] = code;
      this.scores[i] = code < 0 ? NaN : scored[code];
    }
    for (const [i, score] of Object.entries(described.partial)) this.scores[i] = score;
  }

  has(i) { return this.codes[i] >= 0; }

  outcome(i) { return index.outcomes[this.codes[i]][0]; }

  kind(i) {
    const kind = index.outcomes[this.codes[i]][1];
    const score = this.scores[i];
    return score > 0 && score < 1 && (kind === "wrong" || kind === "program") ? "partial" : kind;
  }

  answerOf(i) { return this.answer[i] < 0 ? "" : this.answers[this.answer[i]]; }

  // The mean score of a question; NaN without any.
  mean(question) {
    let [sum, n] = [0, 0];
    for (let i = question * this.repeats; i < (question + 1) * this.repeats; i += 1) {
      if (!Number.isNaN(this.scores[i])) { sum += this.scores[i]; n += 1; }
    }
    return n ? sum / n : NaN;
  }

  meanTokens(question) {
    let [sum, n] = [0, 0];
    for (let i = question * this.repeats; i < (question + 1) * this.repeats; i += 1) {
      if (this.has(i)) { sum += this.tokens[i]; n += 1; }
    }
    return n ? sum / n : NaN;
  }

  // Whether repeats of a question have different scores.
  varies(question) {
    let first = NaN;
    for (let i = question * this.repeats; i < (question + 1) * this.repeats; i += 1) {
      const score = this.scores[i];
      if (Number.isNaN(score)) continue;
      if (Number.isNaN(first)) first = score;
      else if (score !== first) return true;
    }
    return false;
  }
}

function taskOf(described) {
  const columns = described.runs.map((run) => run && new Column(run, described.questions.length));
  return {
    ...described,
    columns,
    present: columns.flatMap((column, run) => (column ? [run] : [])),
    means: columns.map((column) => column && Float32Array.from(described.questions, (_, q) => column.mean(q))),
    lower: described.questions.map((id, q) => `${id}\n${described.previews[q] || ""}`.toLowerCase()),
  };
}

const tasks = index.tasks.map(taskOf);

// What the user has chosen. `here` is the open sample: [run, question, repeat].
const USUAL = { task: 0, run: "", outcome: "", only: "", tag: "", search: "", inTexts: false, order: "id", descending: false, a: 0, b: Math.min(1, index.runs.length - 1) };
const state = { ...USUAL, pair: false, raw: remembered.get("k2eval-raw") === "yes", here: null };
const task = () => tasks[state.task];
