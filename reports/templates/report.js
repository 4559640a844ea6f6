(() => {
  "use strict";

  // Tables: each heading becomes a button; missing values stay at the end in both directions.
  const sortable = (table) => {
    const body = table.tBodies[0];
    const first = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    const key = (row, column) => {
      const cell = row.cells[column];
      if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
      return cell.classList.contains("none") ? null : cell.textContent;
    };
    const compare = (a, b) => (typeof a === "number" && typeof b === "number")
      ? a - b : String(a).localeCompare(String(b), document.documentElement.lang, { numeric: true });
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const order = { none: "ascending", ascending: "descending", descending: "none" }[head.getAttribute("aria-sort")];
        heads.forEach((other) => other.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", order);
        const rows = [...first];
        const way = order === "descending" ? -1 : 1;
        if (order !== "none") rows.sort((r, s) => {
          const a = key(r, column), b = key(s, column);
          if (a === null || b === null) return (a === null) - (b === null);
          return way * compare(a, b);
        });
        body.append(...rows);
      });
    });
  };
  document.querySelectorAll("table[data-sortable]").forEach(sortable);

  // Charts: the drawn picture stays for print and for readers without scripts; on screen the live chart takes its place.
  const fitted = (spec, width) => {
    const frame = (spec.usermeta || {}).frame;
    if (frame === undefined) return spec;
    const walk = (node) => {
      if (Array.isArray(node)) return node.map(walk);
      if (node === null || typeof node !== "object") return node;
      const copy = {};
      for (const [name, value] of Object.entries(node)) copy[name] = name === "datasets" || name === "data" ? value : walk(value);
      if (copy.width === "container") copy.width = Math.max(150, width - frame);
      return copy;
    };
    return walk(spec);
  };
  const show = (script) => {
    const live = document.getElementById(script.dataset.chart);
    const still = live.previousElementSibling;
    const spec = JSON.parse(script.textContent);
    live.hidden = false;
    const draw = () => window.vegaEmbed(live, fitted(spec, live.clientWidth), { renderer: "svg", actions: false, logLevel: 1, tooltip: { theme: "light" } });
    draw().then(() => {
      still.style.display = "none";
      if ((spec.usermeta || {}).frame !== undefined) {
        let wait, width = live.clientWidth;
        window.addEventListener("resize", () => {
          clearTimeout(wait);
          wait = setTimeout(() => { if (live.clientWidth && live.clientWidth !== width) { width = live.clientWidth; draw(); } }, 200);
        });
      }
    }).catch(() => { live.hidden = true; still.style.display = ""; });
  };
  if (window.vegaEmbed) document.querySelectorAll("script[data-chart]").forEach(show);

  // Contents: mark where the reader is.
  const links = new Map([...document.querySelectorAll(".contents a")].map((a) => [a.hash.slice(1), a]));
  if ("IntersectionObserver" in window) {
    const seen = new IntersectionObserver((entries) => entries.forEach((entry) => {
      if (!entry.isIntersecting) return;
      links.forEach((a) => a.removeAttribute("aria-current"));
      const link = links.get(entry.target.id);
      if (link) link.setAttribute("aria-current", "true");
    }), { rootMargin: "0px 0px -70% 0px" });
    links.forEach((_, id) => { const heading = document.getElementById(id); if (heading) seen.observe(heading); });
  }
})();
