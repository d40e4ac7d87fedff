(() => {
  "use strict";

  // A panel is drawn live (with tooltips) when it first comes into view; until then its still picture stands.
  async function enliven(chart) {
    const spec = JSON.parse(document.getElementById(chart.dataset.spec).textContent);
    const live = document.createElement("div");
    live.className = "live";
    live.ariaHidden = "true"; // the panel says its numbers in words
    chart.append(live);
    try {
      const { view } = await vegaEmbed(live, { ...spec, width: "container" }, {
        mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false,
        tooltip: { disableDefaultStyle: true },
      });
      chart.querySelector(":scope > svg").remove();
      chart.dispatchEvent(new CustomEvent("drawn", { bubbles: true, detail: view }));
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
})();
