(() => {
  "use strict";
  const section = document.getElementById("answers");
  if (!section) return;
  const find = (selector) => section.querySelector(selector);
  const all = (selector, within = section) => [...within.querySelectorAll(selector)];
  const [search, order, sign, differences] = ["search", "order", "sign", "differences"].map((name) => find(`[data-${name}]`));
  const boxes = all(".arms input");
  const groups = all(".group").map((group) => ({ group, list: group.querySelector(".prompts"), prompts: all(".prompt", group) }));
  const prompts = groups.flatMap((group) => group.prompts);
  const cards = new Map(prompts.map((prompt) => [prompt, all("[data-arm]", prompt)]));

  // What a reader sees of a prompt and of its shown answers: text nodes, without what is gone from the base's answer.
  function* passages(prompt) {
    for (const block of all(".turn, [data-arm]:not([hidden]) .text", prompt)) {
      const nodes = [];
      const walker = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) if (!walker.currentNode.parentElement.closest("del")) nodes.push(walker.currentNode);
      yield nodes;
    }
  }
  const folded = (text) => text.toLowerCase();
  const textOf = (nodes) => nodes.map((node) => node.data).join("");

  // Ranges of a passage that read as `wanted`; none where lower case has another length than the text.
  function occurrences(nodes, wanted) {
    const text = textOf(nodes), lower = folded(text), ranges = [];
    if (lower.length !== text.length) return ranges;
    const place = (offset) => {
      for (const node of nodes) {
        if (offset <= node.length) return [node, offset];
        offset -= node.length;
      }
    };
    for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, at + wanted.length)) {
      const range = document.createRange();
      range.setStart(...place(at));
      range.setEnd(...place(at + wanted.length));
      ranges.push(range);
    }
    return ranges;
  }

  // The browser paints what was found: the page's elements stay as they are.
  function paint(shown, wanted) {
    if (!window.CSS || !CSS.highlights) return;
    CSS.highlights.delete("found");
    if (!wanted) return;
    const ranges = shown.flatMap((prompt) => [...passages(prompt)].flatMap((nodes) => occurrences(nodes, wanted)));
    CSS.highlights.set("found", new Highlight(...ranges));
  }

  const shownCards = (prompt) => cards.get(prompt).filter((card) => !card.hidden);
  function weight(prompt) {
    const values = shownCards(prompt).map((card) => card.dataset[order.value]).filter((value) => value !== undefined).map(Number);
    if (!values.length) return -1;
    return order.value === "changed" ? values.reduce((sum, value) => sum + value) / values.length : Math.max(...values);
  }
  function wantedOf(prompt, wanted) {
    const signed = !sign.value || shownCards(prompt).some((card) => card.dataset.signs.split(" ").includes(sign.value));
    return signed && (!wanted || [...passages(prompt)].some((nodes) => folded(textOf(nodes)).includes(wanted)));
  }

  function update() {
    const arms = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    for (const list of cards.values()) for (const card of list) card.hidden = !arms.has(card.dataset.arm);
    const wanted = folded(search.value.trim());
    const chosen = wanted || sign.value || order.value;
    for (const prompt of prompts) prompt.hidden = !wantedOf(prompt, wanted);
    const shown = prompts.filter((prompt) => !prompt.hidden);
    for (const { group, list, prompts: own } of groups) {
      const weights = new Map(order.value ? own.map((prompt) => [prompt, weight(prompt)]) : []);
      list.append(...(order.value ? [...own].sort((a, b) => weights.get(b) - weights.get(a)) : own));
      group.hidden = own.every((prompt) => prompt.hidden);
      if (chosen && group.tagName === "DETAILS") group.open = true;
    }
    find("[data-count]").value = shown.length === prompts.length ? `${prompts.length} prompts` : `${shown.length} of ${prompts.length} prompts`;
    paint(shown, wanted);
  }

  function mark() {
    section.classList.toggle("is-marked", differences?.value !== "");
    section.classList.toggle("is-whole", differences?.value === "gone");
  }

  function go(prompt) {
    prompt.closest("details")?.setAttribute("open", "");
    prompt.focus({ preventScroll: true });
    prompt.scrollIntoView({ block: "start" });
  }
  function step(by) {
    const shown = all(".prompt").filter((prompt) => !prompt.hidden);
    const here = shown.indexOf(document.activeElement.closest(".prompt") ?? last);
    const next = shown[here < 0 ? 0 : here + by];
    if (next) go(next);
  }
  let last = null;
  section.addEventListener("focusin", (event) => { last = event.target.closest(".prompt") ?? last; });

  // A link to a prompt shows it, whatever was searched or chosen before.
  function follow() {
    const prompt = prompts.find((one) => location.hash === `#${one.id}`);
    if (!prompt) return;
    if (prompt.hidden) { search.value = sign.value = ""; update(); }
    go(prompt);
  }

  const keys = {
    j: () => step(1),
    k: () => step(-1),
    "/": () => search.focus(),
    d: () => {
      if (!differences) return;
      differences.selectedIndex = (differences.selectedIndex + 1) % differences.length;
      mark();
    },
  };
  section.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input[type=search], select");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || !(event.key in keys)) return;
    event.preventDefault();
    keys[event.key]();
  });
  search.addEventListener("keydown", (event) => { if (event.key === "Enter") { last = null; step(1); } });

  for (const text of all(".text.long")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "more";
    const fold = (open) => {
      text.classList.toggle("is-open", open);
      button.textContent = open ? "Show less" : "Show the whole answer";
      button.setAttribute("aria-expanded", String(open));
    };
    button.addEventListener("click", () => fold(!text.classList.contains("is-open")));
    fold(false);
    text.after(button);
  }

  for (const option of sign.options) {
    option.disabled = option.value !== "" && !all("[data-arm]").some((card) => card.dataset.signs.split(" ").includes(option.value));
  }
  boxes.forEach((box) => { box.checked = "initial" in box.dataset; });
  let waiting;
  search.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(update, 120); });
  for (const control of [find(".arms"), order, sign]) control.addEventListener("change", update);
  differences?.addEventListener("change", mark);
  for (const button of all("[data-step]")) button.addEventListener("click", () => step(Number(button.dataset.step)));
  window.addEventListener("hashchange", follow);
  section.classList.add("is-ready");
  mark();
  update();
  follow();
})();
