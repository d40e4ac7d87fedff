// Linked brushing: points dragged over in a chart, or ticked in the table, stand out in every linked chart and in the table.
(() => {
  "use strict";

  const MOST_NAMED = 6;
  const table = document.querySelector("table.board");
  const panel = document.querySelector("[data-picks]");
  const button = (name) => panel.querySelector(`[name="${name}"]`);
  const points = new Map([...table.tBodies].map((body) => [body.rows[0].id.replace("point-", ""), body]));
  const labelOf = (id) => points.get(id).rows[0].cells[0].dataset.value;
  const views = new Set();
  let picked = new Set();
  let brushed = null;

  function pick(ids, source = null, only = false) {
    picked = new Set(ids);
    brushed = source;
    for (const [id, body] of points) {
      body.toggleAttribute("data-picked", picked.has(id));
      body.querySelector("[data-pick]").checked = picked.has(id);
    }
    for (const view of views) {
      if (view !== source) view.signal("brush_x", [0, 0]).signal("brush_y", [0, 0]);
      view.signal("picked", [...picked]).runAsync();
    }
    const names = [...picked].slice(0, MOST_NAMED).map(labelOf).join(", ");
    const more = picked.size > MOST_NAMED ? ` and ${picked.size - MOST_NAMED} more` : "";
    panel.querySelector("output").textContent = picked.size ? `Picked: ${names}${more}` : "";
    for (const name of ["only", "clear"]) button(name).disabled = !picked.size;
    table.dispatchEvent(new CustomEvent("picked", { detail: only }));
  }

  // A brush is a range of values on each axis; without one its view is no longer the brushed one.
  function follow(view, rows) {
    view.addSignalListener("brush", (_, { cost, mean }) => {
      if (!cost || !mean) {
        if (brushed === view) pick([]);
        return;
      }
      const within = (value, ends) => value >= Math.min(...ends) && value <= Math.max(...ends);
      const inside = rows.filter((row) => within(row.cost, cost) && within(row.mean, mean)).map((row) => row.id);
      const same = brushed === view && inside.length === picked.size && inside.every((id) => picked.has(id));
      if (!same) pick(inside, view);
    });
  }

  document.querySelector("[data-linked]").addEventListener("drawn", ({ target, detail: view }) => {
    const spec = JSON.parse(document.getElementById(target.dataset.spec).textContent);
    views.add(view);
    follow(view, spec.datasets.points);
    view.signal("picked", [...picked]).runAsync();
  });

  for (const [id, body] of points) {
    const box = document.createElement("input");
    box.type = "checkbox";
    box.dataset.pick = "";
    box.setAttribute("aria-label", `Pick ${labelOf(id)} in the charts`);
    box.addEventListener("change", () => {
      const others = [...picked].filter((one) => one !== id);
      pick(box.checked ? [...others, id] : others);
    });
    body.rows[0].cells[0].prepend(box);
  }
  button("clear").addEventListener("click", () => pick([]));
  button("only").addEventListener("click", () => {
    pick(picked, null, true);
    document.getElementById("points").scrollIntoView();
  });
  panel.classList.add("ready");
  pick([]);
})();
