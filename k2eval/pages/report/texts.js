// The texts of questions and samples. Only this file knows where they come from: the page, files beside it, or its server.
const policy = window.trustedTypes
  ? trustedTypes.createPolicy("k2eval", { createScriptURL: (address) => address })
  : { createScriptURL: (address) => address };

// What the page's server answers.
async function answered(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(answer.status === 404 ? "the runs have changed since: load the page again" : `the server answers ${answer.status}`);
  return answer;
}

const pieces = {
  arriving: new Map(),

  // A piece as {size, text} or {bytes}; null if it is not there.
  load(number) {
    if (index.served) return this.ask(number);
    const inside = byId(`piece-${number}`);
    if (inside) return Promise.resolve({ size: Number(inside.dataset.size), text: inside.textContent });
    if (!index.beside) return Promise.resolve(null);
    return new Promise((resolve) => {
      const script = make("script", { src: policy.createScriptURL(`${index.beside}/${number}.js`) });
      const done = (result) => { this.arriving.delete(number); script.remove(); resolve(result); };
      this.arriving.set(number, done);
      script.onerror = () => done(null);
      script.onload = () => { if (this.arriving.has(number)) done(null); };
      document.head.append(script);
    });
  },

  async ask(number) {
    const answer = await answered(`${index.served}/${number}`);
    return { bytes: new Uint8Array(await answer.arrayBuffer()) };
  },
};

// Called by the files beside the page.
function k2evalPiece(number, size, text) {
  pieces.arriving.get(number)?.({ size, text });
}

const texts = {
  workers: [],
  waiting: new Map(),
  kept: new Map(),
  asked: 0,

  workerFor(piece) {
    if (!this.workers.length) {
      const address = URL.createObjectURL(new Blob([byId("worker").textContent], { type: "text/javascript" }));
      const many = Math.max(1, Math.min(2, navigator.hardwareConcurrency || 1));
      for (let i = 0; i < many; i += 1) {
        const worker = new Worker(policy.createScriptURL(address));
        worker.onmessage = ({ data }) => {
          const { resolve, reject } = this.waiting.get(data.id);
          this.waiting.delete(data.id);
          if (data.failed === undefined) resolve(data.result);
          else reject(new Error(data.failed));
        };
        this.workers.push(worker);
      }
    }
    return this.workers[piece % this.workers.length];
  },

  ask(piece, message) {
    this.asked += 1;
    const id = this.asked;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.workerFor(piece).postMessage({ ...message, piece, id });
    });
  },

  // Whether the workers have a piece, once it has been loaded.
  keep(piece) {
    if (!this.kept.has(piece)) {
      const loaded = pieces.load(piece).then((got) => (got ? this.ask(piece, { ask: "keep", ...got }) : false));
      this.kept.set(piece, loaded);
      loaded.then((there) => { if (!there) this.kept.delete(piece); }, () => this.kept.delete(piece));
    }
    return this.kept.get(piece);
  },

  // Forget all pieces, which others have taken the place of.
  forget() {
    this.kept.clear();
    for (const worker of this.workers) worker.terminate();
    for (const { reject } of this.waiting.values()) reject(new Error("the samples were renewed"));
    this.workers = [];
    this.waiting.clear();
  },

  pieceOf(places, number) {
    let piece = -1;
    for (const [first, its] of places) {
      if (first > number) break;
      piece = its;
    }
    return piece;
  },

  // The texts of a record; null if it is not there, undefined if its file is missing.
  async record(places, number) {
    const piece = this.pieceOf(places, number);
    if (piece < 0) return null;
    if (!(await this.keep(piece))) return undefined;
    return this.ask(piece, { ask: "record", number });
  },

  // The facts and texts of a sample.
  async sample(task, run, i) {
    const record = await this.record(task.columns[run].pieces, i);
    if (!record) return record;
    const facts = JSON.parse(record[0]);
    facts.generations.forEach((one, n) => Object.assign(one, { reasoning: record[1 + 2 * n], answer: record[2 + 2 * n] }));
    return facts;
  },

  question(task, question) {
    return this.record(task.pieces || [], question);
  },

  async askServer(task, words, progress) {
    progress(0, 1);
    const found = await answered(`${index.found}?${new URLSearchParams({ task: task.name, words })}`).then((answer) => answer.json());
    return { questions: new Set(found.questions), runs: found.runs.map((numbers) => new Set(numbers)), missing: 0 };
  },

  // Look for words in all texts of a task: hits are numbers of questions and, by run, of samples.
  async search(task, words, progress) {
    const lower = words.toLowerCase();
    if (index.served) return this.askServer(task, lower, progress);
    const hits = { questions: new Set(), runs: task.columns.map(() => new Set()) };
    const jobs = (task.pieces || []).map(([, piece]) => ({ piece, facts: false, into: hits.questions }));
    task.columns.forEach((column, run) => column?.pieces.forEach(([, piece]) => jobs.push({ piece, facts: true, into: hits.runs[run] })));
    let [next, done, missing] = [0, 0, 0];
    const work = async () => {
      while (next < jobs.length) {
        const { piece, facts, into } = jobs[next];
        next += 1;
        if (await this.keep(piece)) {
          for (const number of await this.ask(piece, { ask: "search", words: lower, facts })) into.add(number);
        } else missing += 1;
        done += 1;
        if (!progress(done, jobs.length)) return;
      }
    };
    await Promise.all([work(), work(), work(), work()]);
    return { ...hits, missing };
  },
};
