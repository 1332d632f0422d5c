// Runs inside the frame of one drawn plan. pev2 keeps its state in module variables and in the frame's address, so
// that each plan needs a window of its own.
(() => {
  "use strict";
  const { plan, query } = JSON.parse(document.getElementById("plan").textContent);

  // The frame is sandboxed and has no storage; pev2 wants one. What it would remember begins with what is measured
  // here: blocks, not times.
  const stored = new Map([
    ["diagramViewOptions", JSON.stringify({ metric: 3, buffersMetric: "Shared" })],
    ["viewOptions", JSON.stringify({ diagramWidth: 25 })],
    ["gridIsNotNew", "true"],
  ]);
  const storage = { getItem: (name) => stored.get(name) ?? null, setItem: (name, value) => stored.set(name, value) };
  Object.defineProperty(window, "localStorage", { value: storage });

  addEventListener("message", (event) => {
    if (event.source === parent) document.documentElement.dataset.bsTheme = event.data.theme;
  });

  // A link to a fragment would resolve against the address of the page around.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (!link) return;
    event.preventDefault();
    const href = link.getAttribute("href");
    if (href.startsWith("#")) location.hash = href;
  });
  const failed = (error) => {
    console.error(error);
    document.getElementById("failed").hidden = false;
  };
  const app = Vue.createApp({
    render: () => Vue.h(pev2.Plan, { planSource: JSON.stringify([plan]), planQuery: query }),
  });
  app.config.errorHandler = failed;
  try {
    app.mount("#app");
  } catch (error) {
    failed(error);
  }
})();
