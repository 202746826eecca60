// Draws a Plotly figure in the colours and the font of the page, and says what is clicked, boxed and zoomed.
// Called by Streamlit with an element of the page and data: library (where it is), name, figure (JSON), says, select; again when they change.
let library;

function load(source) {
  library ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = source;
    script.onload = () => done(window.Plotly);
    script.onerror = () => { library = undefined; failed(new Error("the library that draws cannot be loaded")); };
    document.head.append(script);
  });
  return library;
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

// What Plotly tells of an event, as little as the server needs.
function picked(event, box) {
  const ids = event.points.map(point => Array.isArray(point.customdata) ? point.customdata[0] : point.customdata);
  return {ids: [...new Set(ids.filter(id => id !== undefined && id !== null))].slice(0, 64), box};
}

function zoomed(layout) {
  const {xaxis, yaxis} = layout;
  return xaxis.autorange && yaxis.autorange ? null : [...xaxis.range, ...yaxis.range];
}

function listen(Plotly, plot) {
  plot.on("plotly_click", event => plot.now.select && plot.tell("picked", picked(event, false)));
  plot.on("plotly_selected", event => plot.now.select && event?.points.length && plot.tell("picked", picked(event, true)));
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

const FILL = {
  name: "fill", title: "Fill the screen", click: plot => document.fullscreenElement ? document.exitFullscreen()
    : plot.requestFullscreen(),
  icon: {width: 24, height: 24, path: "M4 4h6v2H6v4H4zM14 4h6v6h-2V6h-4zM4 14h2v4h4v2H4zM18 14h2v6h-6v-2h4z"},
};

async function paint(plot) {
  const Plotly = await load(plot.now.library);
  const figure = JSON.parse(plot.now.figure);
  plot.tall = plot.style.height = `${figure.layout.height}px`;
  delete figure.layout.height;
  figure.layout.template = template(plot);
  if (matchMedia("(pointer: coarse)").matches) figure.layout.dragmode = false; // a finger scrolls the page
  figure.config = {
    displaylogo: false, modeBarButtonsToAdd: [FILL],
    modeBarButtonsToRemove: [...(plot.now.select ? [] : ["select2d"]), "lasso2d", "autoScale2d"],
    toImageButtonOptions: {format: "png", filename: `autoopt-${plot.now.name}`, scale: 2},
  };
  const first = !plot.watch;
  await Plotly.react(plot, figure);
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
