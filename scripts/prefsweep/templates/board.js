// The leaderboard: sorting, filtering, runs that unfold, and links to a point, a run or a view of the table.
// A view is kept in the address: `#points?sort=-difference&without=kto&text=2e-4&all=1`.
(() => {
  "use strict";

  const table = document.querySelector("table.board");
  const tools = document.querySelector("[data-board-tools]");
  const heads = [...table.tHead.rows[0].cells];
  const points = [...table.tBodies];
  const control = (name) => tools.querySelector(`[name="${name}"]`);
  const boxes = [...tools.querySelectorAll('[name="method"]')];
  const labelOf = (point) => point.rows[0].cells[0].dataset.value;
  const isBase = (point) => point.dataset.method === "base";
  const whole = () => ({ sort: "", without: new Set(), text: "", all: !("many" in table.dataset), only: false });
  let state = whole();
  let marked = null;

  function order() {
    const key = state.sort.replace("-", "");
    const column = heads.findIndex((head) => head.dataset.key === key);
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    if (column < 0) return points;
    const descending = state.sort.startsWith("-");
    heads[column].setAttribute("aria-sort", descending ? "descending" : "ascending");
    const value = (point) => point.rows[0].cells[column].dataset.value;
    return [...points].sort((one, other) => {
      const [x, y] = [value(one), value(other)];
      if (x === "" || y === "") return (x === "") - (y === "");
      const rising = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
      return descending ? -rising : rising;
    });
  }

  // The base stays for comparison, and so does what a link leads to.
  function isWanted(point, words) {
    if (isBase(point) || point.contains(marked)) return true;
    if (state.only) return "picked" in point.dataset;
    if (state.without.has(point.dataset.method)) return false;
    const label = labelOf(point).toLowerCase();
    return words.every((word) => label.includes(word)) && (state.all || words.length > 0 || "first" in point.dataset);
  }

  function show() {
    const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
    for (const point of points) point.hidden = !isWanted(point, words);
    table.append(...order());
    for (const box of boxes) box.checked = !state.without.has(box.value);
    control("text").value = state.text;
    const trained = points.filter((point) => !isBase(point));
    const shown = trained.filter((point) => !point.hidden).length;
    tools.querySelector("output").textContent =
      shown < trained.length ? `${shown.toLocaleString("en")} of ${trained.length.toLocaleString("en")} points shown` : "";
    if (control("all")) {
      const count = trained.length.toLocaleString("en");
      control("all").textContent = state.all ? "Show the best of each method" : `Show all ${count} points`;
    }
  }

  function address() {
    const query = new URLSearchParams();
    if (state.sort) query.set("sort", state.sort);
    for (const method of state.without) query.append("without", method);
    if (state.text) query.set("text", state.text);
    if (state.all !== whole().all) query.set("all", Number(state.all));
    const text = query.toString();
    return `#${marked ? marked.id : "points"}${text && `?${text}`}`;
  }

  function change(changes) {
    state = { ...state, ...changes };
    show();
    history.replaceState(null, "", address());
  }

  function unfold(point, open) {
    [...point.rows].slice(1).forEach((row) => { row.hidden = !open; });
    point.querySelector("[data-runs] button").setAttribute("aria-expanded", open);
  }

  function mark(row) {
    marked?.classList.remove("marked");
    marked = row;
    row?.classList.add("marked");
  }

  // What the address names: a view, a point or run of the table, or a run's record.
  function follow() {
    const [anchor, query] = location.hash.slice(1).split("?");
    const target = document.getElementById(anchor);
    const point = target?.closest(".board tbody");
    if (!point && anchor !== "points") {
      if (target?.matches("details.record")) target.open = true;
      return;
    }
    if (query !== undefined) {
      const given = new URLSearchParams(query);
      state = {
        sort: given.get("sort") ?? "",
        without: new Set(given.getAll("without")),
        text: given.get("text") ?? "",
        all: given.has("all") ? given.get("all") === "1" : whole().all,
        only: false,
      };
    }
    mark(point ? target : null);
    show();
    if (!point) return target.scrollIntoView();
    if (target !== point.rows[0]) unfold(point, true);
    target.querySelector("th a").focus({ preventScroll: true });
    target.scrollIntoView({ block: "center" });
  }

  for (const head of heads.filter((one) => one.dataset.key)) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    const { key } = head.dataset;
    const first = key === "point" || key === "verdict" ? key : `-${key}`;
    button.addEventListener("click", () => {
      change({ sort: state.sort === first ? (first === key ? `-${key}` : key) : first });
    });
  }
  for (const point of points) {
    const cell = point.querySelector("[data-runs]");
    const button = document.createElement("button");
    button.type = "button";
    button.append(...cell.childNodes);
    button.setAttribute("aria-label", `${button.textContent} runs of ${labelOf(point)}`);
    button.addEventListener("click", () => unfold(point, button.getAttribute("aria-expanded") !== "true"));
    cell.append(button);
    unfold(point, false);
  }
  boxes.forEach((box) => box.addEventListener("change", () => {
    change({ without: new Set(boxes.filter((one) => !one.checked).map((one) => one.value)) });
  }));
  control("text").addEventListener("input", (event) => change({ text: event.target.value }));
  control("all")?.addEventListener("click", () => change({ all: !state.all }));
  control("reset").addEventListener("click", () => { mark(null); change(whole()); });
  table.addEventListener("picked", ({ detail: only }) => {
    if (only || state.only) change({ only });
  });
  tools.classList.add("ready");
  show();
  addEventListener("hashchange", follow);
  addEventListener("DOMContentLoaded", () => location.hash && follow());
})();
