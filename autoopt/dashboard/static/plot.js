// Draws a Plotly figure in the colours and the font of the page, and says what is clicked, boxed and zoomed.
// Called by Streamlit with an element of the page and data, and again when these change: source (of Plotly),
// figure (JSON), config (of Plotly), says, select (whether points are picked).
let plotly;

function load(source) {
  plotly ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = source;
    script.onload = () => done(window.Plotly);
    script.onerror = () => { plotly = undefined; failed(new Error("Plotly cannot be loaded from this server")); };
    document.head.append(script);
  });
  return plotly;
}

function faded(color, alpha) {
  const parts = /^#(..)(..)(..)$/.exec(color);
  return parts ? `rgba(${parts.slice(1).map(part => parseInt(part, 16)).join(",")},${alpha})` : color;
}

function template(element) {
  const style = getComputedStyle(element);
  const [text, background, line] = ["text-color", "background-color", "border-color"]
    .map(name => style.getPropertyValue(`--st-${name}`).trim());
  const family = style.fontFamily, soft = faded(text, 0.72);
  const axis = {tickfont: {color: soft}, title: {font: {color: soft, size: 12.5}}};
  return {layout: {
    font: {family, color: text, size: 12}, xaxis: axis, yaxis: axis, legend: {font: {color: text}},
    hoverlabel: {bgcolor: background, bordercolor: line, font: {family, color: text, size: 13}},
    modebar: {color: soft, activecolor: text, bgcolor: "rgba(0,0,0,0)"},
  }};
}

const named = ids => [...new Set(ids.map(id => Array.isArray(id) ? id[0] : id)
  .filter(id => id !== undefined && id !== null))].slice(0, 64);

// The points in a box; Plotly finds those of marks only, not those of lines.
function inside({x, y}, traces) {
  const within = (value, [from, to]) => value >= Math.min(from, to) && value <= Math.max(from, to);
  return traces.filter(trace => trace.customdata && trace.visible === true && trace.xaxis === "x" && trace.yaxis === "y")
    .flatMap(trace => Array.from(trace.customdata).filter((_, n) =>
      trace.y[n] !== null && within(trace.x[n], x) && within(trace.y[n], y)));
}

function zoomed(layout) {
  const {xaxis, yaxis} = layout;
  return xaxis.autorange && yaxis.autorange ? null : [...xaxis.range, ...yaxis.range];
}

function listen(Plotly, plot) {
  plot.on("plotly_click", event => {
    const ids = named(event.points.map(point => point.customdata));
    if (plot.now.select && ids.length) plot.tell("picked", {ids, box: false});
  });
  plot.on("plotly_selected", event => {
    if (!plot.now.select || !event?.range?.x) return;
    const ids = named(inside(event.range, plot._fullData));
    if (ids.length) plot.tell("picked", {ids, box: true});
    Plotly.relayout(plot, {selections: []});
  });
  plot.on("plotly_relayout", event => {
    if (Object.keys(event).some(name => /^[xy]axis\d*\.(range|autorange)/.test(name)))
      plot.tell("zoomed", zoomed(plot._fullLayout));
  });
  plot.watch = new ResizeObserver(() => {
    if (plot.offsetWidth && Math.abs(plot.offsetWidth - plot._fullLayout.width) > 1) Plotly.Plots.resize(plot);
  });
  plot.watch.observe(plot);
  document.addEventListener("fullscreenchange", plot.fill = () => {
    plot.style.height = document.fullscreenElement === plot ? "100%" : plot.tall;
    Plotly.Plots.resize(plot);
  });
}

// Plotly's own button for this is there for marks only.
const select = Plotly => ({
  name: "box", title: "Box select", icon: Plotly.Icons.selectbox, attr: "dragmode", val: "select",
  click: plot => Plotly.relayout(plot, {dragmode: "select"}),
});

const FILL = {
  name: "fill", title: "Fill the screen", click: plot => document.fullscreenElement ? document.exitFullscreen()
    : plot.requestFullscreen(),
  icon: {width: 24, height: 24, path: "M4 4h6v2H6v4H4zM14 4h6v6h-2V6h-4zM4 14h2v4h4v2H4zM18 14h2v6h-6v-2h4z"},
};

async function paint(plot) {
  const Plotly = await load(plot.now.source);
  const figure = JSON.parse(plot.now.figure);
  plot.tall = plot.style.height = `${figure.layout.height}px`;
  delete figure.layout.height;
  figure.layout.template = template(plot);
  if (matchMedia("(pointer: coarse)").matches) figure.layout.dragmode = false; // a finger scrolls the page
  figure.config = {
    ...plot.now.config, modeBarButtonsToAdd: [...(plot.now.select ? [select(Plotly)] : []), FILL],
  };
  const first = !plot.watch;
  await Plotly.react(plot, figure);
  if (Plotly.others && figure.data.some((trace, n) => trace.type !== plot._fullData[n].type)) {
    Plotly.others(); // kinds that nearly no figure has are set up when one has them
    delete Plotly.others;
    await Plotly.newPlot(plot, figure);
  }
  if (first && !plot.watch) listen(Plotly, plot);
}

export default function ({parentElement, data, setTriggerValue}) {
  let plot = parentElement.querySelector(".ao-plot");
  if (!plot) {
    plot = document.createElement("div");
    plot.className = "ao-plot";
    plot.setAttribute("role", "figure");
    parentElement.append(plot);
  }
  plot.setAttribute("aria-label", data.says);
  plot.now = data;
  plot.tell = setTriggerValue;
  paint(plot).catch(error => { plot.textContent = String(error); });
  return () => {
    plot.watch?.disconnect();
    document.removeEventListener("fullscreenchange", plot.fill);
    window.Plotly?.purge(plot);
  };
}
