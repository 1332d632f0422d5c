// One cursor over all plots of a run. All that it shows is in the page: the values are read from the results file there.
(() => {
  "use strict";
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];

  // A browser may forbid a local page to remember anything.
  const remembered = (value) => {
    try {
      if (value !== undefined) localStorage.setItem("load-report-theme", value);
      return localStorage.getItem("load-report-theme");
    } catch {
      return null;
    }
  };
  const themes = all("input[name=theme]");
  for (const choice of themes) {
    choice.checked = choice.value === (remembered() || "auto");
    choice.addEventListener("change", () => remembered(choice.value));
  }
  if (!themes.some((choice) => choice.checked)) themes[0].checked = true;

  // The same rules as in numbers.py.
  const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
  const power = (value) => value.toExponential().split("e")[1];
  const number = (value) => {
    if (Math.abs(value) >= 1000) return whole.format(value);
    const digits = [3, 4].find((count) => power(Number(value.toPrecision(count))) === power(value)) || 5;
    return (value + 0).toLocaleString("en-US", { maximumSignificantDigits: digits });
  };
  const seconds = (value) => {
    if (value < 59.95) return `${number(value)} s`;
    const rounded = Math.floor(value + 0.5);
    const [h, min, s] = [Math.floor(rounded / 3600), Math.floor(rounded / 60) % 60, rounded % 60];
    return [h && `${whole.format(h)} h`, min && `${min} min`, s && `${s} s`].filter(Boolean).join(" ");
  };

  // The sample nearest to a time; times never fall.
  const nearest = (times, time) => {
    let low = 0;
    let high = times.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (times[middle] < time) low = middle + 1;
      else high = middle;
    }
    return low > 0 && time - times[low - 1] <= times[low] - time ? low - 1 : low;
  };

  const svg = (name, attributes, parent) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key of Object.keys(attributes)) made.setAttribute(key, attributes[key]);
    parent.append(made);
    return made;
  };

  class Plot {
    constructor(figure, plot) {
      this.plot = plot;
      this.chart = figure.querySelector(".chart");
      this.when = figure.querySelector(".when");
      this.values = all(".legend .value[data-highest]", figure);
      const { end, low, high, factor, log } = this.chart.dataset;
      Object.assign(this, { end: +end, low: +low, high: +high, factor: +factor, log: log !== undefined });
      this.line = svg("line", { class: "cursor", y1: "0", y2: "100%", visibility: "hidden" }, this.chart);
      this.dots = plot.lines.map((_, index) =>
        svg("circle", { class: `dot s${index % 5}`, r: "4", visibility: "hidden" }, this.chart),
      );
      // How far from a sample its value still holds.
      const times = plot.t;
      this.reach = (1.5 * (times[times.length - 1] - times[0])) / Math.max(1, times.length - 1);
    }

    timeAt(x) {
      const box = this.chart.getBoundingClientRect();
      return Math.min(1, Math.max(0, (x - box.left) / box.width)) * this.end;
    }

    up(value) {
      if (!this.log) return (value - this.low) / (this.high - this.low);
      return value <= this.low ? 0 : Math.log(value / this.low) / Math.log(this.high / this.low);
    }

    // The index of the sample at a time; -1 where the plot has ended or has not begun.
    at(time) {
      const index = nearest(this.plot.t, time);
      const [first, last] = [this.plot.t[0], this.plot.t[this.plot.t.length - 1]];
      return time < first - this.reach || time > last + this.reach ? -1 : index;
    }

    show(time) {
      const index = time === null ? -1 : this.at(time);
      const x = `${((index < 0 ? time : this.plot.t[index]) / this.end) * 100}%`;
      this.line.setAttribute("visibility", time === null ? "hidden" : "visible");
      if (time !== null) for (const side of ["x1", "x2"]) this.line.setAttribute(side, x);
      this.when.textContent = time === null ? "highest" : seconds(index < 0 ? time : this.plot.t[index]);
      this.when.classList.toggle("at", time !== null);
      this.plot.lines.forEach((line, at) => {
        const value = index < 0 ? null : line.values[index];
        const dot = this.dots[at];
        dot.setAttribute("visibility", value === null ? "hidden" : "visible");
        if (value !== null) {
          dot.setAttribute("cx", x);
          dot.setAttribute("cy", `${(1 - this.up(value / this.factor)) * 100}%`);
        }
        const cell = this.values[at];
        cell.textContent = time === null ? cell.dataset.highest : value === null ? "–" : number(value / this.factor);
      });
    }

    said() {
      const told = this.plot.lines.map((line, index) => `${line.name} ${this.values[index].textContent}`);
      return `${this.when.textContent}: ${told.join(", ")}`;
    }
  }

  const status = document.getElementById("said");

  const start = (run) => {
    const text = run.querySelector("pre.raw").textContent;
    const results = JSON.parse(text);
    const plots = all("figure[data-plot]", run).map((figure) => new Plot(figure, results.plots[+figure.dataset.plot]));
    let now = null;
    let pinned = false;
    let asked = false;
    const show = (time) => {
      now = time;
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        plots.forEach((plot) => plot.show(now));
      });
    };
    const release = () => {
      pinned = false;
      show(null);
    };

    for (const plot of plots) {
      const { chart } = plot;
      const { t } = plot.plot;
      const index = () => (now === null ? -1 : nearest(t, now));
      const keys = {
        ArrowLeft: () => index() - 1,
        ArrowRight: () => index() + 1,
        PageUp: () => index() - Math.ceil(t.length / 10),
        PageDown: () => index() + Math.ceil(t.length / 10),
        Home: () => 0,
        End: () => t.length - 1,
      };
      chart.setAttribute("tabindex", "0");
      chart.setAttribute("aria-keyshortcuts", "ArrowLeft ArrowRight Home End Escape");
      chart.addEventListener("pointermove", (event) => {
        if (!pinned) show(t[nearest(t, plot.timeAt(event.clientX))]);
      });
      chart.addEventListener("pointerleave", () => {
        if (!pinned) show(null);
      });
      chart.addEventListener("click", (event) => {
        pinned = !pinned;
        show(t[nearest(t, plot.timeAt(event.clientX))]);
      });
      chart.addEventListener("blur", release);
      chart.addEventListener("keydown", (event) => {
        if (event.key === "Escape") return release();
        if (!Object.hasOwn(keys, event.key)) return undefined;
        event.preventDefault();
        pinned = true;
        show(t[Math.min(t.length - 1, Math.max(0, keys[event.key]()))]);
        plot.show(now);
        status.textContent = plot.said();
        return undefined;
      });
    }

    all(".hint", run).forEach((hint) => (hint.hidden = false));
    const button = run.querySelector(".download");
    button.hidden = false;
    button.addEventListener("click", () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
      link.download = run.dataset.file;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    });
  };
  all(".run").forEach(start);
})();
