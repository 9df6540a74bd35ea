// How a recipe came to its response: plan, candidates and comparisons as a tree.
const keysOf = (plan) => [plan].flat().filter(Boolean);

// A part that is folded, and filled when it is first opened.
function folded(title, fill, { open = false, kind = "" } = {}) {
  const box = make("details", { className: kind }, make("summary", { textContent: title }));
  let filled = false;
  box.fill = () => {
    if (!filled) box.append(...[fill()].flat().filter(Boolean));
    filled = true;
  };
  box.addEventListener("toggle", () => { if (box.open) box.fill(); });
  if (open) { box.fill(); box.open = true; }
  return box;
}

const lengthOf = (text) => `${count(text.length)} characters, ${count(text.split(/\s+/).length)} words`;

// One generation: its reasoning folded, its answer open.
function response(one) {
  const raw = [one.reasoning, one.answer];
  const reasoning = one.reasoning && folded(
    `${one.complete ? "Reasoning" : "Reasoning, never closed"} (${lengthOf(one.reasoning)})`,
    () => rendered(one.reasoning), { kind: "reasoning" });
  if (reasoning) reasoning.raw = one.reasoning;
  if (!one.complete && !one.answer.trim()) return [reasoning || rendered("(empty)", "answer")];
  const answer = raw[1].trim() ? rendered(raw[1].trim(), "answer") : make("p", { className: "soft answer", textContent: one.reasoning ? "(nothing after the reasoning)" : "(empty)" });
  return [reasoning, answer].filter(Boolean);
}

function generation(one, title) {
  return folded(`${title}: ${count(one.tokens)} tokens${one.model ? `, ${one.model}` : ""}`, () => response(one));
}

function planPart(sample, plan) {
  const made = new Map(sample.generations.map((one) => [one.key, one]));
  const plans = keysOf(plan).map((key) => made.get(key)).filter(Boolean);
  return plans.map((one, n) => generation(one, plans.length > 1 ? `Plan ${n + 1} of ${plans.length}` : "Plan"));
}

function candidate(sample, one) {
  const made = sample.generations.find((other) => other.key === one.generation);
  const chosen = one.index === sample.notes.selected || Boolean(made?.selected);
  const title = `Candidate ${one.index}${chosen ? ", selected" : ""}: ${one.answer ?? "no answer"} (${count(one.tokens)} tokens)`;
  const inside = () => [...planPart(sample, one.plan), ...(made ? response(made) : [make("p", { className: "soft", textContent: "Its text was not kept." })])];
  return make("li", { className: chosen ? "selected" : "" }, folded(title, inside));
}

function comparison(sample, one) {
  const [low, high] = [...one.pair].sort((a, b) => a - b);
  const orders = one.orders ? `; the orders named ${one.orders.map((named) => named ?? "none").join(" and ")}` : "";
  const title = `${one.pair.join(" against ")}: ${one.winner} wins (${one.ground}${orders})`;
  const judged = sample.generations.filter(({ stage }) => {
    const found = /^judge\.(\d+)-(\d+)/.exec(stage);
    return found && Math.min(found[1], found[2]) === low && Math.max(found[1], found[2]) === high;
  });
  for (const each of judged) each.placed = true;
  if (!judged.length) return make("li", { textContent: title });
  return make("li", {}, folded(title, () => judged.map((each) => generation(each, each.stage))));
}

function branch(title, leaves) {
  return leaves.length ? make("li", {}, make("span", { className: "branch", textContent: title }), make("ul", {}, leaves)) : null;
}

// The tree of a recipe with more than one step; null for a plain answer.
function recipeTree(sample) {
  const { notes } = sample;
  const candidates = Array.isArray(notes.candidates) ? notes.candidates : [];
  const comparisons = Array.isArray(notes.comparisons) ? notes.comparisons : [];
  const lost = (notes.lost || []).map((one) => make("li", { textContent: `Candidate ${one.index}: lost at ${one.stage}: ${one.reason}` }));
  const plan = planPart(sample, notes.plan);
  if (!plan.length && !candidates.length && !comparisons.length) return null;
  const votes = Array.isArray(notes.votes) ? `, votes ${notes.votes.join(", ")}` : "";
  return make("ul", { className: "tree" },
    plan.map((part) => make("li", {}, part)),
    branch(`Candidates (${candidates.length}${votes})`, [...candidates.map((one) => candidate(sample, one)), ...lost]),
    branch(`Comparisons (${comparisons.length})`, comparisons.map((one) => comparison(sample, one))));
}

// Generations that neither the response nor the tree shows: retries, the answer judge.
function otherGenerations(sample) {
  const { candidates, plan } = sample.notes;
  const shown = new Set([...keysOf(plan), ...(candidates || []).flatMap((one) => [one.generation, ...keysOf(one.plan)])]);
  return sample.generations.filter((one) => !one.selected && !one.placed && !shown.has(one.key)).map((one) => generation(one, one.stage));
}
