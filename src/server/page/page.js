// The status page: asks for /-/status every two seconds and draws it. Everything from the gateway is set as text.
"use strict";

const PAUSE_MS = 2000;
const COLOURS = ["--a", "--b", "--c", "--d", "--e", "--f"];
const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);
let before = null;
let meters = null;
let metersBefore = null;
let chosen = new Set();

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function bytes(count) {
  if (count === null || count === undefined) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (count >= 1024 && at < units.length - 1) { count /= 1024; at += 1; }
  return `${at === 0 ? count : count.toFixed(1)} ${units[at]}`;
}

function span(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds === 0) return "0 s";
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
  if (seconds < 120) return `${seconds.toFixed(0)} s`;
  if (seconds < 7200) return `${(seconds / 60).toFixed(0)} min`;
  if (seconds < 172800) return `${(seconds / 3600).toFixed(1)} h`;
  return `${(seconds / 86400).toFixed(1)} d`;
}

function count(number) {
  if (number === null || number === undefined) return "–";
  return Math.round(number).toLocaleString("en").replaceAll(",", "\u202f");
}

function headers() {
  const token = sessionStorage.getItem("token");
  return token ? { Authorization: `Token ${token}` } : {};
}

async function ask(path) {
  // With credentials a browser would ask for a name and a password of its own.
  const answer = await fetch(path, { headers: headers(), cache: "no-store", credentials: "omit" });
  if (answer.status === 401) {
    byId("login").hidden = false;
    throw new Error("a token is wanted");
  }
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.message || body.error || `status ${answer.status}`);
  byId("login").hidden = true;
  return body;
}

// State in one word, its class, and whether it is worse than another.
function condition(backend) {
  if (backend.incomplete) return ["incomplete", "bad"];
  if (backend.state === "down") return ["down", "bad"];
  if (backend.state === "unknown") return ["not asked yet", "idle"];
  if (backend.backlog_full) return ["backlog full", "bad"];
  if (backend.parked.length) return ["up, databases wait", "warn"];
  if (backend.backlog_age_seconds > 10) return ["up, behind", "warn"];
  return ["up", "good"];
}

function verdict(status) {
  const lost = status.backends.reduce((sum, one) => sum + one.dropped_points, 0);
  const trouble = status.backends.filter((one) => condition(one)[1] !== "good");
  if (!status.ready) return [`No write is taken: ${status.not_ready}`, "bad"];
  if (lost > 0) return [`Writes are taken; ${count(lost)} points were given up for want of room`, "bad"];
  const down = trouble.filter((one) => one.state === "down").length;
  if (down) return [`Writes are taken; ${down} of ${status.backends.length} backends are down, their lines wait in the log`, "warn"];
  if (trouble.length) return [`Writes are taken; ${trouble.length} of ${status.backends.length} backends need a look`, "warn"];
  return ["All is well: writes are taken, every backend is up", "good"];
}

// The sums of what Prometheus would read: by name and the labels that the page looks at.
function read(text) {
  const sums = new Map();
  const shards = new Set();
  for (const line of text.split("\n")) {
    const found = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!found) continue;
    const labels = new Map([...(found[2] || "").matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map((one) => [one[1], one[2]]));
    if (labels.has("shard")) shards.add(labels.get("shard"));
    const key = [found[1], labels.get("backend"), labels.get("stage"), labels.get("quantile")].filter(Boolean).join(" ");
    sums.set(key, (sums.get(key) || 0) + Number(found[3]));
  }
  return { sums, shards: shards.size, at: performance.now() };
}

function rate(key) {
  if (!meters || !metersBefore) return null;
  const seconds = (meters.at - metersBefore.at) / 1000;
  const [old, fresh] = [metersBefore.sums.get(key) || 0, meters.sums.get(key)];
  return fresh === undefined || fresh < old || seconds <= 0 ? null : (fresh - old) / seconds;
}

function figures(status) {
  const quantile = (stage) => {
    const seconds = meters && meters.sums.get(`circlet_stage_duration_seconds ${stage} 0.99`);
    return seconds ? span(seconds) : "–";
  };
  const oldest = Math.max(0, ...status.backends.map((one) => one.backlog_age_seconds || 0));
  const rows = [
    ["Lines in, a second", count(rate("circlet_lines_accepted_total"))],
    ["Write, 99 of 100", quantile("write")],
    ["Commit, 99 of 100", quantile("commit")],
    ["Backend, 99 of 100", quantile("backend")],
    ["Log on disk", bytes(status.log.bytes)],
    ["Free on its disk", bytes(status.log.disk_free_bytes)],
    ["Oldest line that waits", oldest ? span(oldest) : "none"],
  ];
  byId("figures").replaceChildren(...rows.map(([title, value]) => {
    const box = element("div");
    box.append(element("dt", title), element("dd", value));
    return box;
  }));
}

function arc(from, to) {
  const point = (turn) => {
    const angle = turn * 2 * Math.PI - Math.PI / 2;
    return `${(60 + 45 * Math.cos(angle)).toFixed(3)} ${(60 + 45 * Math.sin(angle)).toFixed(3)}`;
  };
  // A whole turn has no beginning; a hair less draws the same.
  const end = Math.min(to, from + 0.9999);
  return `M ${point(from)} A 45 45 0 ${end - from > 0.5 ? 1 : 0} 1 ${point(end)}`;
}

function ring(circle, backends) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 120 120");
  svg.setAttribute("role", "img");
  const up = backends.filter((one) => one.state === "up").length;
  svg.setAttribute("aria-label", `${circle.name}: ${up} of ${backends.length} backends are up`);
  let from = 0;
  backends.forEach((backend, at) => {
    const share = backend.share ?? 1 / backends.length;
    const gap = backends.length > 1 ? Math.min(0.006, share / 4) : 0;
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", arc(from + gap, from + share - gap));
    path.setAttribute("fill", "none");
    path.setAttribute("stroke", `var(${COLOURS[at % COLOURS.length]})`);
    path.setAttribute("stroke-width", "15");
    if (backend.state === "down") path.classList.add("down");
    if (chosen.has(`${backend.circle}/${backend.name}`)) path.classList.add("chosen");
    const title = document.createElementNS(SVG, "title");
    title.textContent = `${backend.name}: ${condition(backend)[0]}, ${(share * 100).toFixed(1)} % of the keys`;
    path.append(title);
    svg.append(path);
    from += share;
  });
  const text = (y, size, words, className) => {
    const made = document.createElementNS(SVG, "text");
    made.setAttribute("x", "60"); made.setAttribute("y", y); made.setAttribute("font-size", size);
    if (className) made.setAttribute("class", className);
    made.textContent = words;
    svg.append(made);
  };
  text("60", "20", `${up}/${backends.length}`);
  text("76", "10", "up", "small");
  return svg;
}

function circles(status) {
  byId("circles").replaceChildren(...status.circles.map((circle) => {
    const backends = status.backends.filter((one) => one.circle === circle.name);
    const card = element("article", undefined, "circle");
    const message = element("p", circle.message, circle.can_answer ? "quiet" : "warn");
    const list = element("ul");
    backends.forEach((backend, at) => {
      const item = element("li");
      const dot = element("span", "", "dot");
      dot.style.setProperty("background", `var(${COLOURS[at % COLOURS.length]})`);
      const [word, kind] = condition(backend);
      item.append(dot, element("span", backend.name), element("span", word, kind));
      list.append(item);
    });
    card.append(element("h3", circle.name), message, ring(circle, backends), list);
    return card;
  }));
}

function rows(status) {
  const cell = (label, text, kind) => {
    const made = element("td", undefined);
    made.dataset.label = label;
    made.append(element("span", text, kind));
    return made;
  };
  byId("rows").replaceChildren(...status.backends.map((backend) => {
    const row = element("tr");
    const name = element("th", `${backend.circle}/${backend.name}`);
    name.scope = "row";
    const [word, kind] = condition(backend);
    const waits = backend.parked.map((one) => `${one.database} waits: ${one.reason}`);
    const complete = backend.incomplete ? `no: ${backend.incomplete}` : backend.complete ? "yes" : "not yet";
    const lines = rate(`circlet_backend_lines_total ${backend.name}`);
    row.append(
      name,
      cell("State", word, kind),
      cell("Since", span(backend.state_seconds)),
      cell("Complete", complete, backend.incomplete ? "bad" : ""),
      cell("Backlog", bytes(backend.backlog_bytes)),
      cell("Oldest", span(backend.backlog_age_seconds)),
      cell("Lines / s", count(lines)),
      cell("Last error", [backend.last_error, ...waits].filter(Boolean).join("; ") || "–"),
    );
    return row;
  }));
}

async function refresh() {
  try {
    const [status, text] = await Promise.all([ask("/-/status"), fetch("/metrics", { credentials: "omit" }).then((answer) => answer.text())]);
    metersBefore = meters;
    meters = read(text);
    const [words, kind] = verdict(status);
    byId("verdict").textContent = words;
    byId("verdict").className = `verdict ${kind}`;
    byId("about").textContent = `Version ${status.version}, up for ${span(status.up_seconds)}, ${meters.shards} shards`;
    document.title = `${kind === "good" ? "✓" : "!"} Circlet`;
    figures(status);
    circles(status);
    rows(status);
    before = status;
  } catch (error) {
    byId("verdict").textContent = `No answer: ${error.message}`;
    byId("verdict").className = "verdict bad";
    document.title = "! Circlet";
  }
  setTimeout(refresh, PAUSE_MS);
}

byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", byId("token").value);
});

byId("route").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const query = new URLSearchParams({ db: form.get("db"), measurement: form.get("measurement") });
  try {
    const found = await ask(`/-/route?${query}`);
    chosen = new Set(found.owners.map((one) => `${one.circle}/${one.backend}`));
    byId("owners").textContent = `${found.owners.map((one) => `${one.circle}: ${one.backend}`).join(", ")} (key ${found.key})`;
    if (before) circles(before);
  } catch (error) {
    byId("owners").textContent = `Not found: ${error.message}`;
  }
});

refresh();
