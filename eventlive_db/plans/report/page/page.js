// Opens, filters and draws; everything it shows is in the page already.
(() => {
  "use strict";
  const root = document.documentElement;
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];

  // A browser may forbid a local page to remember anything.
  const remembered = (value) => {
    try {
      if (value !== undefined) localStorage.setItem("plan-report-theme", value);
      return localStorage.getItem("plan-report-theme");
    } catch {
      return null;
    }
  };

  const dark = matchMedia("(prefers-color-scheme: dark)");
  let theme = remembered() || "auto";
  // A sandboxed frame has no origin that could be named.
  const tellTheme = (frame) => frame.contentWindow.postMessage({ theme: root.dataset.bsTheme }, "*");
  const applyTheme = () => {
    root.dataset.bsTheme = theme === "auto" ? (dark.matches ? "dark" : "light") : theme;
    document.getElementById("theme").textContent = `Theme: ${theme}`;
    all(".drawn iframe").forEach(tellTheme);
  };
  dark.addEventListener("change", applyTheme);
  document.getElementById("theme").addEventListener("click", () => {
    theme = { auto: "light", light: "dark", dark: "auto" }[theme] || "auto";
    remembered(theme);
    applyTheme();
  });
  applyTheme();

  const data = new Map();
  const plans = (name) => {
    if (!data.has(name)) data.set(name, JSON.parse(document.getElementById(`plans-${name}`).textContent));
    return data.get(name);
  };

  // Each plan is drawn in a frame, made of what lies in this page as text, when its statement is opened.
  const part = (name) => document.getElementById(`part-${name}`).textContent;
  const script = (content, attributes = "") => `<script${attributes}>${content}</` + "script>";
  const draw = (details) => {
    const host = details.querySelector(".drawn");
    if (host.firstChild) return;
    const data = JSON.stringify(plans(details.dataset.plans)[Number(details.dataset.index)]);
    const frame = document.createElement("iframe");
    frame.sandbox = "allow-scripts";
    frame.title = `Plan: ${details.querySelector(".place").textContent}`;
    frame.srcdoc = [
      `<!doctype html><html lang="en" data-bs-theme="${root.dataset.bsTheme}"><head><meta charset="utf-8">`,
      "<title>Plan</title>",
      ...["bootstrap.min.css", "pev2.css", "frame.css"].map((name) => `<style>${part(name)}</style>`),
      '</head><body><p id="failed" hidden>pev2 could not draw this plan; it is above as text.</p><div id="app"></div>',
      script(data.replaceAll("<", "\\u003c"), ' type="application/json" id="plan"'),
      ...["vue.runtime.global.prod.js", "pev2.umd.js", "frame.js"].map((name) => script(part(name))),
      "</body></html>",
    ].join("\n");
    frame.addEventListener("load", () => tellTheme(frame));
    host.append(frame);
  };
  const erase = (details) => details.querySelector(".drawn").replaceChildren();
  // The toggle event does not bubble, but it can be captured.
  document.addEventListener(
    "toggle",
    (event) => {
      const details = event.target;
      if (details.classList.contains("stmt")) (details.open ? draw : erase)(details);
    },
    true,
  );

  const choose = (run) => {
    const inside = run.closest(".inside");
    for (const other of all(".run", inside)) {
      other.classList.toggle("chosen", other === run);
      if (other !== run) all("details.stmt[open]", other).forEach((d) => (d.open = false));
    }
    for (const button of all(".pick", inside)) {
      const mine = button.dataset.run === run.id;
      button.setAttribute("aria-pressed", String(mine));
      button.classList.toggle("active", mine);
      button.closest("tr").classList.toggle("chosen", mine);
    }
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest(".pick");
    if (button) choose(document.getElementById(button.dataset.run));
  });
  root.classList.add("js");
  all(".run.first").forEach(choose);

  const search = document.getElementById("search");
  const failing = document.getElementById("failing");
  const filter = () => {
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    for (const item of all("[data-case]")) {
      const hit = item.dataset.case.includes(wanted) && !(failing.checked && item.dataset.passed === "true");
      item.hidden = !hit;
      if (hit && item.matches(".case")) shown += 1;
    }
    document.getElementById("shown").textContent = shown ? "" : "No case matches.";
  };
  search.addEventListener("input", filter);
  failing.addEventListener("change", filter);
  filter();

  document.getElementById("fold").addEventListener("click", () => {
    const cases = all(".case:not([hidden])");
    const open = cases.some((c) => !c.open);
    cases.forEach((c) => (c.open = open));
  });

  const follow = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    const run = target.closest(".run");
    if (run) choose(run);
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    target.scrollIntoView({ block: "start" });
  };
  addEventListener("hashchange", follow);
  // A click on the link of a case that is the hash already changes no hash.
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (link && link.getAttribute("href") === location.hash) follow();
  });
  follow();
})();
