// The status page: one event a second holds all that is shown.

const $ = (id) => document.getElementById(id);
const KEPT = 120;
let before = null;

const graphs = [
  ["rate", "Requests a second", (now, old) => old ? Math.max(0, (now.requests - old.requests) / (now.time - old.time)) : 0],
  ["in_flight", "In flight", (now) => now.in_flight],
  ["connections", "Connections", (now) => now.connections],
  ["memory", "Memory, MiB", (now) => now.memory_mib],
  ["lag", "Loop lag p99, ms", (now) => now.lag_ms],
  ["held", "Held requests", (now) => now.held],
].map(([id, title, value]) => {
  const figure = document.createElement("figure");
  figure.id = id;
  const caption = document.createElement("figcaption");
  const number = document.createElement("b");
  number.textContent = "–";
  caption.append(title, number);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${KEPT} 40`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  svg.append(line);
  figure.append(caption, svg);
  $("graphs").append(figure);
  return { value, number, line, points: [] };
});

function draw(now) {
  for (const graph of graphs) {
    const value = graph.value(now, before);
    graph.points.push(value);
    if (graph.points.length > KEPT) graph.points.shift();
    const most = Math.max(...graph.points, 1);
    const first = KEPT - graph.points.length;
    graph.number.textContent = value < 10 ? String(Math.round(value * 100) / 100) : String(Math.round(value));
    graph.line.setAttribute("points", graph.points.map((point, at) => `${first + at},${39 - (point / most) * 38}`).join(" "));
  }
}

function table(id, rows) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const line = (kind, cells) => {
    const tr = document.createElement("tr");
    tr.append(...cells.map((text) => {
      const cell = document.createElement(kind);
      cell.textContent = text;
      return cell;
    }));
    return tr;
  };
  $(id).replaceChildren(
    line("th", names.map((name) => name.replaceAll("_", " "))),
    ...rows.map((row) => line("td", names.map((name) => row[name] ?? ""))),
  );
}

const shown = new Set();
function log(lines) {
  const list = $("log");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  for (const { id, time, level, text } of lines) {
    if (shown.has(id)) continue;
    shown.add(id);
    const item = document.createElement("li");
    item.className = level;
    item.textContent = `${new Date(time * 1000).toLocaleTimeString()} ${text}`;
    list.append(item);
  }
  while (list.children.length > 300) list.firstChild.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function setState(text, kind) {
  $("state").textContent = text;
  $("state").dataset.live = kind;
}

const events = new EventSource("/_eyewall/events");
events.onmessage = ({ data }) => {
  const now = JSON.parse(data);
  draw(now);
  table("workers", now.workers);
  table("routes", now.routes);
  $("no-routes").hidden = now.routes.length > 0;
  for (const name of ["topics", "jobs"]) {
    table(name, now[name]);
    $(`${name}-section`).hidden = now[name].length === 0;
  }
  log(now.log);
  setState(now.suspended ? `Suspended, ${now.held} requests wait` : "Live", now.suspended ? "held" : "live");
  $("suspend").hidden = now.suspended;
  $("resume").hidden = !now.suspended;
  before = now;
};
events.addEventListener("trouble", ({ data }) => setState(data, "held"));
events.onerror = () => setState("Reconnecting…", "");

for (const verb of ["suspend", "resume", "reload"]) {
  $(verb).addEventListener("click", async () => {
    $(verb).disabled = true;
    $("said").textContent = "";
    try {
      const answer = await fetch("/_eyewall/do", {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Eyewall": "1" },
        body: JSON.stringify({ do: verb }),
      });
      if (!answer.ok) $("said").textContent = (await answer.json()).error ?? answer.statusText;
    } catch (error) {
      $("said").textContent = String(error);
    }
    $(verb).disabled = false;
  });
}
