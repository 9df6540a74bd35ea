"use strict";

// The chosen theme lasts where the browser lets pages from disk keep something.
const remembered = {
  get(key) { try { return localStorage.getItem(key); } catch { return null; } },
  set(key, value) { try { localStorage.setItem(key, value); } catch { /* not kept */ } },
};

// An element with fields and children. Texts enter the page here, as text.
function make(tag, fields = {}, ...children) {
  const element = document.createElement(tag);
  const { dataset, ...plain } = fields;
  Object.assign(element, plain);
  Object.assign(element.dataset, dataset || {});
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

const byId = (id) => document.getElementById(id);

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
}
setTheme(remembered.get("k2eval-theme"));

document.addEventListener("click", (event) => {
  if (!event.target.closest(".theme")) return;
  const now = document.documentElement.dataset.theme
    || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const next = now === "dark" ? "light" : "dark";
  setTheme(next);
  remembered.set("k2eval-theme", next);
});

// Tables of class "sortable": a click on a heading orders the rows by it, cells without a value last.
function valueOf(row, index) {
  const cell = row.cells[index];
  const raw = cell.dataset.value;
  if (raw === undefined) return cell.textContent.trim().toLowerCase();
  return raw === "" ? null : Number(raw);
}

function sortBy(table, index) {
  const heading = table.tHead.rows[0].cells[index];
  const numeric = [...table.tBodies[0].rows].some((row) => row.cells[index].dataset.value !== undefined);
  const before = heading.getAttribute("aria-sort");
  const descending = before ? before === "ascending" : numeric;
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const rows = [...table.tBodies[0].rows].map((row) => [valueOf(row, index), row]);
  rows.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null);
    const order = a < b ? -1 : a > b ? 1 : 0;
    return descending ? -order : order;
  });
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest(".sort");
  if (button) sortBy(button.closest("table"), button.closest("th").cellIndex);
});
