// What a reader would see at once in a drawing, asked of the browser: words on one another, marks that hardly show.
window.looks = (() => {
  "use strict";

  const all = (node, selector) => [...node.querySelectorAll(selector)];
  const charts = (within) => all(document, `${within} .chart`);
  const named = (chart, words) => `${chart.dataset.spec}: ${words}`;

  function crowded(within) {
    return charts(within).flatMap((chart) => {
      const panel = chart.closest(".panel").getBoundingClientRect();
      const words = all(chart, "text").filter((node) => node.textContent).map((node) => [node.textContent, node.getBoundingClientRect()]);
      const outside = words.filter(([, at]) => at.left < panel.left - 1 || at.right > panel.right + 1);
      const meets = (one, other) =>
        one.left < other.right - 1 && other.left < one.right - 1 && one.top < other.bottom - 1 && other.top < one.bottom - 1;
      const covered = words.filter(([, one], index) => words.slice(index + 1).some(([, other]) => meets(one, other)));
      return [...outside, ...covered].map(([text]) => named(chart, text));
    });
  }

  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });

  // Relative luminance (WCAG 2.2) of colours laid over one another, each with its opacity.
  function luminance(layers) {
    for (const [colour, opacity] of layers) {
      canvas.globalAlpha = opacity;
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
    }
    const [red, green, blue] = [...canvas.getImageData(0, 0, 1, 1).data]
      .map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }

  function opacity(node) {
    const own = Number(getComputedStyle(node).opacity);
    return node.tagName === "svg" ? own : own * opacity(node.parentElement);
  }

  const isBehind = (box, word) => {
    const [x, y] = [(word.left + word.right) / 2, (word.top + word.bottom) / 2];
    return box.left <= x && x <= box.right && box.top <= y && y <= box.bottom;
  };

  // The page and, where a word stands in a bar or cell, that one.
  function ground(node, chart) {
    const page = [getComputedStyle(document.body).backgroundColor, 1];
    if (node.tagName !== "text") return [page];
    const word = node.getBoundingClientRect();
    const cells = all(chart, ".mark-rect.role-mark path").filter((cell) => isBehind(cell.getBoundingClientRect(), word));
    return [page, ...cells.map((cell) => [getComputedStyle(cell).fill, opacity(cell)])];
  }

  function contrast(node, chart) {
    const { fill, stroke } = getComputedStyle(node);
    const behind = ground(node, chart);
    const colour = node.tagName === "text" || stroke === "none" ? fill : stroke;
    const [dark, light] = [luminance(behind), luminance([...behind, [colour, 1]])].sort((one, other) => one - other);
    return (light + 0.05) / (dark + 0.05);
  }

  // What is meant to be faint, by its opacity, is left out.
  function faint(within) {
    return charts(within).flatMap((chart) =>
      all(chart, "text, .mark-line.role-mark path, .mark-symbol.role-mark path, .mark-rule.role-mark line")
        .filter((node) => opacity(node) >= 0.9)
        .map((node) => [node, contrast(node, chart)])
        .filter(([node, ratio]) => ratio < (node.tagName === "text" ? 4.5 : 3))
        .map(([node, ratio]) => named(chart, `${node.textContent || node.parentElement.classList} ${ratio.toFixed(1)}:1`)));
  }

  return { crowded, faint };
})();
