// Markdown and mathematics as elements. Texts of models never become markup: each element is made here, one by one.
const MOST_RENDERED = 400_000;
const MOST_FORMULA = 5_000;
const MOST_PROGRAM = 60_000;
const TAGS = new Set(["p", "ul", "ol", "li", "blockquote", "strong", "em", "s", "table", "thead", "tbody", "tr", "th", "td"]);
const markdown = markdownit({ html: false, linkify: false, breaks: true, maxNesting: 40 }).use(mathematics);

// `96*35` and `2**3` multiply, though Markdown would take the signs for emphasis within a word.
const scan = markdown.inline.State.prototype.scanDelims;
markdown.inline.State.prototype.scanDelims = function scanned(start, canSplitWord) {
  const found = scan.call(this, start, canSplitWord);
  if (this.src[start] !== "*") return found;
  const [before, after] = [this.src[start - 1] || " ", this.src[start + found.length] || " "];
  const multiplies = found.length === 1 ? /[\w)\]]/.test(before) && /[\w([\\]/.test(after) : /[\w)\]]/.test(before) && /[\d(]/.test(after);
  return multiplies ? { ...found, can_open: false, can_close: false } : found;
};

// Delimiters of formulas: the opening one, the closing one, and whether it stands on lines of its own.
const FORMULAS = [["$$", "$$", true], ["\\[", "\\]", true], ["\\(", "\\)", false]];

function mathematics(parser) {
  parser.inline.ruler.before("escape", "formula", inlineFormula);
  parser.block.ruler.before("fence", "formula", blockFormula, { alt: ["paragraph", "reference", "blockquote", "list"] });
}

function inlineFormula(at, silent) {
  const found = formulaAt(at, at.pos, at.src.length);
  if (!found) return false;
  if (!silent) Object.assign(at.push("formula", "", 0), { content: found.tex, markup: found.source, block: found.display });
  at.pos += found.source.length;
  return true;
}

// The next place of a closing sign. What was found is kept, so that a text full of opening signs costs no more than its length.
function closing(at, sign, from) {
  at.closings ??= new Map();
  const known = at.closings.get(sign);
  if (known && known.from <= from && (known.place < 0 || from <= known.place)) return known.place;
  const place = at.src.indexOf(sign, from);
  at.closings.set(sign, { from, place });
  return place;
}

// The formula that begins at a place and closes before another one; null if none does.
function formulaAt(at, start, limit) {
  const text = at.src;
  const first = text[start];
  if (first !== "$" && first !== "\\") return null;
  for (const [opens, closes, display] of FORMULAS) {
    if (!text.startsWith(opens, start)) continue;
    const end = closing(at, closes, start + opens.length);
    if (end > start + opens.length && end + closes.length <= limit) {
      return { tex: text.slice(start + opens.length, end), source: text.slice(start, end + closes.length), display };
    }
  }
  if (first === "$") return dollars(text, start);
  if (text.startsWith("\\begin{", start)) {
    const window = text.slice(start, Math.min(limit, start + 2 * MOST_FORMULA));
    const name = /^\\begin\{(\w{1,30}\*?)\}/.exec(window);
    const end = name ? window.indexOf(`\\end{${name[1]}}`) : -1;
    if (end > 0) { const source = window.slice(0, end + name[1].length + 6); return { tex: source, source, display: true }; }
  }
  return text.startsWith("\\boxed{", start) ? boxed(at, start) : null;
}

// `$x$`, but not "from $5 to $6": no space within the signs at the ends, and no digit behind.
function dollars(text, start) {
  if (/\s|\$/.test(text[start + 1] || " ")) return null;
  for (let end = text.indexOf("$", start + 1); end > 0; end = text.indexOf("$", end + 1)) {
    if (text[end - 1] === "\\") continue;
    if (/\s/.test(text[end - 1]) || /\d/.test(text[end + 1] || "") || text.slice(start, end).includes("\n\n")) return null;
    return { tex: text.slice(start + 1, end), source: text.slice(start, end + 1), display: false };
  }
  return null;
}

function boxed(at, start) {
  at.braces ??= bracesOf(at.src);
  const [open, end] = [start + 6, at.braces.get(start + 6)];
  if (end === undefined || end === open + 1 || end - start > MOST_FORMULA) return null;
  const source = at.src.slice(start, end + 1);
  return { tex: source, source, display: false };
}

// The place of the closing brace of each opening one that has one.
function bracesOf(text) {
  const [found, open] = [new Map(), []];
  for (let i = 0; i < text.length; i += 1) {
    if (text[i] === "\\") i += 1;
    else if (text[i] === "{") open.push(i);
    else if (text[i] === "}" && open.length) found.set(open.pop(), i);
  }
  return found;
}

// A formula that begins a line may hold empty lines, and lines that would be lists or headings.
function blockFormula(at, line, last, silent) {
  const start = at.bMarks[line] + at.tShift[line];
  if (!["$$", "\\[", "\\begin{"].some((opens) => at.src.startsWith(opens, start))) return false;
  const found = formulaAt(at, start, at.eMarks[last - 1]);
  if (!found) return false;
  const end = start + found.source.length;
  let next = line;
  while (next < last && at.eMarks[next] < end) next += 1;
  if (next >= last || at.src.slice(end, at.eMarks[next]).trim().replace(/^[.,;]$/, "")) return false;
  if (silent) return true;
  const after = at.src.slice(end, at.eMarks[next]).trim();
  Object.assign(at.push("formula", "", 0), { content: found.tex + after, markup: found.source + after, block: true });
  at.line = next + 1;
  return true;
}

// Formulas are typeset when they come into sight.
const formulas = new WeakMap();
const inSight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    inSight.unobserve(target);
    typeset(target);
  }
}, { rootMargin: "800px" });

function typeset(target) {
  const { tex, display } = formulas.get(target);
  const made = make("span");
  try {
    katex.render(tex, made, { displayMode: display, throwOnError: true, trust: false, strict: "ignore", maxSize: 20, maxExpand: 500 });
    target.replaceChildren(...made.childNodes);
  } catch {
    target.classList.add("unread");
    target.title = "KaTeX cannot set this formula.";
  }
}

function formula(tex, source, display) {
  const element = make("span", { className: display ? "formula display" : "formula", textContent: source });
  if (tex.length <= MOST_FORMULA) {
    formulas.set(element, { tex, display });
    inSight.observe(element);
  }
  return element;
}

// highlight.js answers with text and spans only; these are made anew here.
function highlighted(code, language) {
  const box = make("code", { className: "program" });
  const known = hljs.getLanguage(language);
  if (!known || code.length > MOST_PROGRAM) { box.textContent = code; return box; }
  const entities = { amp: "&", lt: "<", gt: ">", quot: '"', "#x27": "'" };
  const stack = [box];
  for (const [, name, end, text] of hljs.highlight(code, { language, ignoreIllegals: true }).value.matchAll(/<span class="([\w -]+)">|(<\/span>)|([^<]+)/g)) {
    if (name) { const span = make("span", { className: name }); stack.at(-1).append(span); stack.push(span); }
    else if (end) stack.pop();
    else stack.at(-1).append(text.replace(/&(amp|lt|gt|quot|#x27);/g, (_, entity) => entities[entity]));
  }
  return box;
}

function program(code, language = "python") {
  const box = make("pre", { tabIndex: 0 }, highlighted(code, language));
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", "Program");
  return box;
}

function built(tokens, top) {
  const stack = [top];
  const links = [];
  for (const token of tokens) {
    const at = stack.at(-1);
    if (token.type === "link_open") { links.push(token.attrGet("href")); stack.push(make("span", { className: "link" })); at.append(stack.at(-1)); }
    else if (token.type === "link_close") {
      const [text, address] = [stack.pop(), links.pop()];
      if (text.textContent !== address) stack.at(-1).append(make("span", { className: "address", textContent: ` (${address})` }));
    } else if (token.nesting === 1) {
      const element = token.hidden ? at : make(elementFor(token));
      if (!token.hidden) at.append(decorated(element, token));
      stack.push(element);
    } else if (token.nesting === -1) stack.pop();
    else at.append(...leaf(token));
  }
  return top;
}

function elementFor(token) {
  return TAGS.has(token.tag) ? token.tag : "p";
}

function decorated(element, token) {
  if (/^h\d$/.test(token.tag)) element.className = `heading ${token.tag}`;
  if (token.tag === "ol" && token.attrGet("start")) element.start = Number(token.attrGet("start"));
  const aligned = /text-align:(\w+)/.exec(token.attrGet("style") || "");
  if (aligned) element.classList.add(`to-${aligned[1]}`);
  return element;
}

function leaf(token) {
  if (token.type === "inline") return [built(token.children, document.createDocumentFragment())];
  if (token.type === "formula") return [formula(token.content, token.markup, token.block)];
  if (token.type === "fence") return [program(token.content, token.info.trim().split(/\s+/)[0].toLowerCase())];
  if (token.type === "code_block") return [program(token.content, "")];
  if (token.type === "code_inline") return [make("code", { textContent: token.content })];
  if (token.type === "image") return [make("span", { className: "address", textContent: `[image: ${token.content} (${token.attrGet("src")})]` })];
  if (token.type === "softbreak" || token.type === "hardbreak") return [make("br")];
  if (token.type === "hr") return [make("hr")];
  return [token.content];
}

// A text of a model or a question, as it was written or rendered.
function rendered(text, kind = "") {
  if (state.raw || text.length > MOST_RENDERED) return make("pre", { className: `raw ${kind}`, textContent: text });
  return built(markdown.parse(text, {}), make("div", { className: `rendered ${kind}` }));
}
