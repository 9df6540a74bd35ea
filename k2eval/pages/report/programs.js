// What the grader of programs found: the tests, the one that failed with expected and got side by side, and the sandbox's word.
const OF_PROGRAMS = /^(code|humaneval|scicode)\b/;

function isOfProgram(sample) { return OF_PROGRAMS.test(sample.grader || ""); }

const MOST_LINES = 20_000;

// Lines that differ are marked, place by place.
function lines(title, text, other) {
  const others = other === null ? null : String(other).split("\n");
  const box = make("pre", { tabIndex: 0 });
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", title);
  const own = String(text).split("\n");
  if (own.length > MOST_LINES) box.textContent = text;
  else own.forEach((line, i) => {
    const differs = others && line.trimEnd() !== (others[i] ?? "").trimEnd();
    box.append(make("span", { className: differs ? "line differs" : "line", textContent: `${line}\n` }));
  });
  return make("div", {}, make("h5", { textContent: title }), box);
}

function failedTest(failed) {
  const got = failed.got ?? null;
  const title = `Test ${failed.test + 1}${failed.hidden ? " (hidden)" : ""} failed: ${failed.why}`;
  return make("div", { className: "failed-test" },
    make("p", { className: "why", textContent: title }),
    failed.input === undefined ? null : lines("Input", failed.input, null),
    make("div", { className: "beside" },
      failed.expected === undefined ? null : lines("Expected", failed.expected, got),
      got === null ? make("div", {}, make("h5", { textContent: "Got" }), make("p", { className: "soft", textContent: "Nothing was kept: see the reason above." })) : lines("Got", got, failed.expected)));
}

function stepsTable(detail) {
  const body = make("tbody", {}, Object.entries(detail.steps).map(([step, outcome]) => make("tr", {},
    make("th", { scope: "row", textContent: step }), make("td", { className: "left", textContent: words(outcome) }),
    make("td", { className: "left long", textContent: detail.why?.[step] || "" }))));
  return make("table", { className: "steps-table" }, make("caption", { textContent: `${detail.sub_passed} of ${detail.sub_total} steps pass` }),
    make("thead", {}, make("tr", {}, ["Step", "Outcome", "Reason"].map((name) => make("th", { scope: "col", textContent: name })))), body);
}

// The section of a program; nothing for other answers.
function programPart(sample, outcome) {
  if (!isOfProgram(sample)) return [];
  const { detail } = sample;
  const said = [];
  if (detail.tests !== undefined) {
    const passed = outcome === "correct" ? detail.tests : detail.passed;
    said.push(`${passed ?? 0} of ${detail.tests} tests passed in order${detail.hidden_tests ? ` (${detail.hidden_tests} are hidden)` : ""}.`);
  }
  if (detail.calls !== undefined) said.push(`${detail.calls} calls were answered.`);
  for (const reason of [detail.reason, typeof detail.why === "string" ? detail.why : null, detail.erratum]) if (reason) said.push(reason);
  const parts = [make("h4", { textContent: "Sandbox" }), make("p", {}, make("span", { className: "sandbox-outcome", textContent: `Outcome: ${words(outcome)}. ` }), said.join(" "))];
  if (detail.failed) parts.push(failedTest(detail.failed));
  if (detail.steps) parts.push(stepsTable(detail));
  if (sample.extracted) {
    parts.push(make("details", { className: "extracted" }, make("summary", { textContent: `Program that ran (${count(sample.extracted.length)} characters)` }), program(sample.extracted)));
  }
  return parts;
}
