(() => {
  "use strict";

  // A panel is drawn live (with tooltips) when it first comes into view; until then its still picture stands.
  async function enliven(chart) {
    const spec = JSON.parse(document.getElementById(chart.dataset.spec).textContent);
    const live = document.createElement("div");
    live.className = "live";
    chart.append(live);
    try {
      await vegaEmbed(live, { ...spec, width: "container" }, {
        mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false,
        tooltip: { disableDefaultStyle: true },
      });
      chart.querySelector(":scope > svg").remove();
    } catch (error) {
      live.remove();
      console.error(error);
    }
  }

  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      seen.unobserve(entry.target);
      enliven(entry.target);
    }
  }, { rootMargin: "400px" });
  document.querySelectorAll(".chart").forEach((chart) => seen.observe(chart));

  // Which arms' answers are shown.
  const arms = document.querySelector("[data-arms]");
  if (arms) {
    const boxes = [...arms.querySelectorAll("input")];
    const show = () => {
      const shown = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
      document.querySelectorAll("[data-arm]").forEach((card) => { card.hidden = !shown.has(card.dataset.arm); });
    };
    boxes.forEach((box) => { box.checked = "initial" in box.dataset; });
    arms.addEventListener("change", show);
    arms.classList.add("ready");
    show();
  }

  // Sorting by a column; the first click puts the largest value on top.
  document.querySelectorAll("[data-sortable]").forEach((table) => {
    const body = table.tBodies[0];
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const descending = head.getAttribute("aria-sort") !== "descending";
        const key = (row) => row.cells[column].dataset.value;
        const compare = (a, b) => {
          const [x, y] = [key(a), key(b)];
          if (x === "" || y === "") return (x === "") - (y === "");
          const order = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
          return descending ? -order : order;
        };
        body.append(...[...body.rows].sort(compare));
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      });
    });
  });
})();
