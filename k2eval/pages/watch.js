// The page loads itself anew for as long as its box is ticked, which the browser remembers.
const renews = byId("renews");
renews.checked = remembered.get("k2eval-renews") !== "off";
renews.addEventListener("change", () => remembered.set("k2eval-renews", renews.checked ? "on" : "off"));
setInterval(() => { if (renews.checked && !document.hidden) location.reload(); }, 1000 * renews.dataset.seconds);
