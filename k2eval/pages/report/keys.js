// The keyboard: one list of keys, which the help shows. Keys of one letter can be switched off.
const KEYBOARD = [
  ["Arrow keys, Home, End, Page up, Page down", "in the grid: go to the next square that the filters leave"],
  ["Enter", "open the square's sample and go to it; Space only opens it"],
  ["Esc", "close the sample and go back to the grid", null],
  ["j", "next sample", () => grid.step(1)],
  ["k", "previous sample", () => grid.step(-1)],
  ["r", "raw or rendered text", () => byId("raw").click()],
  ["s", "two runs side by side", () => byId("pair").click()],
  ["c", "copy a link to the sample", () => { if (state.here) copyLink(); }],
  ["o", "unfold or fold the reasoning", () => foldReasoning()],
  ["/", "search", () => byId("search").focus()],
  ["?", "show these keys", () => byId("help").showModal()],
];

function foldReasoning() {
  const boxes = [...byId("shown").querySelectorAll("details.reasoning")];
  const open = boxes.some((box) => !box.open);
  for (const box of boxes) { box.fill(); box.open = open; }
}

function listKeys() {
  const body = byId("keys");
  for (const [key, meaning] of KEYBOARD) body.append(make("tr", {}, make("th", { scope: "row" }, make("kbd", { textContent: key })), make("td", { className: "left", textContent: meaning })));
  byId("letters").checked = remembered.get("k2eval-letters") !== "off";
  byId("letters").addEventListener("change", ({ target }) => remembered.set("k2eval-letters", target.checked ? "on" : "off"));
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
  if (event.key === "Escape") {
    if (panel.close()) { grid.mark(); grid.table.focus({ preventScroll: true }); event.preventDefault(); }
    return;
  }
  if (event.target.closest("input:not([type=checkbox]), select, textarea") || !byId("letters").checked) return;
  const [, , act] = KEYBOARD.find(([key]) => key === event.key) || [];
  if (act) { act(); event.preventDefault(); }
});
