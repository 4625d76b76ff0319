// What this host is to hold, and how it stands. An event only says "look again": what is shown is always what
// `api/v1/status` and `api/v1/plan` say now, so a lost event costs a moment and nothing else.

const API = "api/v1/";
const state = {
  status: null, plans: new Map(), history: null, before: null, passes: new Map(), logs: new Map(),
  isOpen: new Map(), filter: "", onlyProblems: false, isConnected: null, trouble: "", lostAt: 0,
  token: sessionStorage.getItem("token") || "",
};
const byId = (id) => document.getElementById(id);

// --- making and changing what is seen ----------------------------------------------------------------------------------

function h(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false && child !== ""));
  return node;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

// Makes a node like another one and touches only what differs, so that focus and places in a text stay.
function liken(node, like) {
  for (const { name } of [...node.attributes]) if (!like.hasAttribute(name)) node.removeAttribute(name);
  for (const { name, value } of [...like.attributes]) if (node.getAttribute(name) !== value) node.setAttribute(name, value);
  show(node, [...like.childNodes]);
}

const keyOf = (node) => (node.nodeType === 1 ? node.getAttribute("data-key") : null);

function show(parent, children) {
  const keyed = new Map([...parent.childNodes].filter(keyOf).map((node) => [keyOf(node), node]));
  let place = parent.firstChild;
  for (const child of children.flat(Infinity)) {
    const like = typeof child === "string" ? document.createTextNode(child) : child;
    const key = keyOf(like);
    let found = key ? keyed.get(key) : place;
    if (!key && found && keyOf(found)) found = null;
    if (found && found.nodeName === like.nodeName) {
      if (found !== place) parent.insertBefore(found, place);
      if (like.nodeType === 3) { if (found.data !== like.data) found.data = like.data; } else liken(found, like);
      place = found.nextSibling;
    } else {
      parent.insertBefore(like, place);
    }
  }
  while (place) { const next = place.nextSibling; place.remove(); place = next; }
}

// --- words ---------------------------------------------------------------------------------------------------------------

const CONDITIONS = {
  starting: ["busy", "Starting"], settled: ["ok", "Settled"], changing: ["busy", "Changing"], suspended: ["mute", "Suspended"],
  "out of sync": ["warn", "Out of sync"], failing: ["bad", "Failing"], invalid: ["bad", "Invalid spec"], "engine away": ["away", "Engine away"],
};
const REASONS = {
  absent: "it is not there", "spec-changed": "the spec changed", drifted: "it drifted", orphan: "it has left the spec",
  "image-changed": "its image changed", "content-changed": "what it is made from changed", dependency: "what it depends on is made anew",
  requested: "it was asked for", interrupted: "an earlier run was cut off", "name-taken": "the name is taken",
  "owned-by-other": "it is not this project's", "would-lose-data": "it would lose data",
};
const VERBS = { create: "create", update: "update in place", replace: "replace", remove: "remove", adopt: "take over", blocked: "blocked" };
const PAST = { create: "created", update: "updated", replace: "replaced", remove: "removed", adopt: "took over", blocked: "left" };
const COSTS = { replace: "replaces it", data: "replaces it", restart: "restarts it" };
const GENTLE = { update: "in place", network: "connects it anew", start: "starts it" };
const SYNC = { "in sync": "ok", changing: "busy", "out of sync": "warn", missing: "warn", orphan: "warn", blocked: "warn" };
const many = (count, one, more) => `${count} ${count === 1 ? one : more || one + "s"}`;
const short = (revision) => (/^[0-9a-f]{40,64}$/.test(revision) ? revision.slice(0, 10) : revision);
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function healthTone(resource) {
  if (resource.health === "starting" || resource.health === "restarting" || resource.health === "created") return "busy";
  if (resource.well) return "ok";
  return resource.health === "absent" || resource.health === "paused" ? "warn" : "bad";
}

function outcomeTone(status) {
  return { done: "ok", blocked: "mute", stale: "warn", waiting: "none", "under way": "busy" }[status] || "bad";
}

function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "m"]]) if (whole >= size) return `${Math.floor(whole / size)} ${unit}`;
  return `${whole} s`;
}

// By the server's clock: the browser's may be another.
let skew = 0;
const now = () => Date.now() + skew;
const since = (moment) => (now() - Date.parse(moment)) / 1000;

function ago(moment, behind = " ago") {
  if (!moment || Number.isNaN(Date.parse(moment))) return "";
  const whole = since(moment);
  return h("time", { datetime: moment, title: new Date(moment).toLocaleString() }, whole < 5 && behind ? "just now" : span(whole) + behind);
}

// What stands in backquotes in our texts is code.
const prose = (text) => String(text).split("`").map((part, position) => (position % 2 ? h("code", {}, part) : part));

const badge = (tone, word) => h("span", { class: `badge ${tone}` }, icon(tone), word);
const sign = (tone, word, quiet = tone === "ok") => h("span", { class: `state ${tone}${quiet ? " quiet" : ""}` }, icon(tone), word);

// --- what is a problem ---------------------------------------------------------------------------------------------------

const isProblem = (resource) => !["in sync", "changing"].includes(resource.sync) || resource.failed || !resource.well || Boolean(resource.held) || resource.suspended;

function toneOf(resource) {
  if (resource.sync === "changing") return "busy";
  if (healthTone(resource) === "bad" || resource.failed) return "bad";
  if (resource.suspended) return "mute";
  if (resource.sync !== "in sync" || resource.held || healthTone(resource) === "warn") return "warn";
  return healthTone(resource) === "busy" ? "busy" : "ok";
}

function matches(project, resource) {
  if (state.onlyProblems && !isProblem(resource)) return false;
  if (!state.filter) return true;
  const text = [project.name, project.source.description, resource.address, resource.name, resource.image, resource.sync, resource.health, resource.held, ...resource.ports].join(" ").toLowerCase();
  return state.filter.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

// --- in short ------------------------------------------------------------------------------------------------------------

function verdictOf(status) {
  const projects = status.projects;
  const all = projects.flatMap((project) => project.resources);
  const names = (found) => (found.length > 3 ? many(found.length, "project") : found.map((project) => project.name).join(" and "));
  const broken = projects.filter((project) => project.condition === "failing" || project.condition === "invalid");
  const moving = projects.filter((project) => project.under_way);
  const differing = all.filter((resource) => !["in sync", "changing"].includes(resource.sync) && !resource.suspended);
  const ill = all.filter((resource) => healthTone(resource) === "bad");
  if (!status.engine.connected) {
    const text = status.engine.text ? `${capital(status.engine.text)}. ` : "";
    return ["away", "The engine is away", `${text}Nothing is touched until it is back; what is shown is how it was seen last.`];
  }
  if (status.suspended) return ["mute", "Suspended: nothing is touched", "It goes on when it is resumed."];
  if (broken.length) return ["bad", `${names(broken)} ${broken.length === 1 ? "needs" : "need"} attention`];
  const refused = projects.filter((project) => project.source.refusal);
  if (refused.length) return ["bad", `The newest revision of ${names(refused)} is refused`];
  if (moving.length) {
    const count = moving.flatMap((project) => project.under_way.changes).length;
    return ["busy", `Changing ${many(count, "resource")} in ${names(moving)}`];
  }
  if (projects.some((project) => project.condition === "starting")) return ["busy", "Looking for the first time"];
  if (ill.length) {
    const more = differing.filter((resource) => !ill.includes(resource)).length;
    return ["bad", ill.length === 1 ? `${ill[0].address} is not well` : `${ill.length} resources are not well`, more ? `${many(more, "other differs", "others differ")} from the spec.` : ""];
  }
  if (differing.length) return ["warn", `${many(differing.length, "resource differs", "resources differ")} from the spec`];
  if (projects.some((project) => project.suspended) || all.some((resource) => resource.suspended)) {
    return ["ok", "Everything is as declared", "Some of it is suspended and is not touched."];
  }
  return ["ok", "Everything is as declared"];
}

function showVerdict(status) {
  const [tone, title, text] = verdictOf(status);
  const all = status.projects.flatMap((project) => project.resources);
  const synced = all.filter((resource) => resource.sync === "in sync").length;
  const well = all.filter((resource) => resource.well).length;
  const of = (part, word) => h("span", {}, h("b", {}, part === all.length ? `${part}` : `${part} of ${all.length}`), ` ${word}`);
  byId("verdict").className = `verdict ${tone}`;
  show(byId("verdict"), [
    h("div", { class: `sign ${tone}` }, icon(tone)),
    h("div", {}, h("h1", {}, title), text ? h("p", {}, prose(text)) : "",
      h("div", { class: "figures" },
        h("span", {}, h("b", {}, String(status.projects.length)), status.projects.length === 1 ? " project" : " projects"),
        of(synced, "in sync"), of(well, "well"))),
  ]);
  document.title = `${tone === "ok" ? "✓" : tone === "busy" ? "…" : "!"} ${title} · reconciler`;
}

function showTop(status) {
  const engine = status.engine;
  const tone = engine.connected ? "ok" : "away";
  show(byId("engine"), [
    sign(tone, engine.name || "engine", engine.connected),
    h("span", {}, h("span", { class: "sep" }, "·"), engine.connected ? `engine ${engine.version}` : "away since ", engine.connected ? "" : ago(engine.since)),
  ].filter(Boolean));
  const key = byId("key");
  key.hidden = !status.takes_orders;
  show(key, [icon("key"), h("span", { class: "word" }, state.token ? "Lock" : "Unlock")]);
  key.setAttribute("aria-label", state.token ? "Forget the token" : "Enter the token, to reconcile, suspend and resume");
  const problems = status.projects.flatMap((project) => project.resources).filter(isProblem).length;
  byId("count").textContent = String(problems);
  byId("count").className = `count${problems ? " some" : ""}`;
  show(byId("foot"), [
    h("span", {}, `reconciler ${status.version}`),
    h("span", {}, "up ", ago(status.started, "")),
    h("a", { href: "metrics" }, "metrics"), h("a", { href: "api/v1/status" }, "status as JSON"), h("a", { href: "api/v1/plan" }, "plans as JSON"),
  ]);
}

function showLink() {
  const link = byId("link");
  const [tone, word] = state.isConnected === null ? ["none", "Connecting"] : state.isConnected ? ["ok", "Live"] : ["bad", "Not live"];
  link.className = `link ${tone}`;
  if (link.textContent !== word) link.textContent = word;
  const lost = byId("lost");
  lost.hidden = state.isConnected !== false;
  const text = `Connection lost${state.trouble ? `: ${state.trouble}` : ""}. What is shown is ${state.status ? `${span(since(state.status.at))} old` : "nothing yet"}; trying again.`;
  if (!lost.hidden && lost.textContent !== text) lost.textContent = text;
}

// --- a project -----------------------------------------------------------------------------------------------------------

function button(what, iconName, word, about, kind = "") {
  return h("button", { type: "button", class: `button ${kind}`, "data-do": what, ...about }, icon(iconName), word);
}

function orders(project, address, isSuspended, kind) {
  if (!state.token) return [];
  const about = { "data-project": project, "data-address": address };
  const toggle = isSuspended ? button("resume", "play", "Resume", about, kind) : button("suspend", "pause", "Suspend", about, kind);
  return address ? [toggle] : [button("reconcile", "look", "Reconcile", about, kind), toggle];
}

function projectCard(status, project) {
  const isBehind = !status.engine.connected;
  const [tone, word] = isBehind ? ["mute", `${(CONDITIONS[project.condition] || ["", project.condition])[1]} when last seen`] : CONDITIONS[project.under_way ? "changing" : project.condition] || ["mute", project.condition];
  const plan = state.plans.get(project.name);
  const changes = new Map((plan?.plan?.changes || []).map((change) => [change.address, change]));
  const shown = project.resources.filter((resource) => matches(project, resource));
  const isNarrowed = Boolean(state.filter || state.onlyProblems);
  if (isNarrowed && !shown.length && !(state.onlyProblems && !state.filter && tone === "bad")) return null;
  // Those that serve first; of the rest only what needs attention stands with them.
  const front = shown.filter((resource) => resource.kind === "container" || isProblem(resource) || isNarrowed);
  const isLong = front.length > 14; // then what needs attention must not be looked for
  const rank = (resource) => (isLong && isProblem(resource) ? (toneOf(resource) === "bad" ? -3 : -2) : 0) + (resource.kind === "container" ? 0 : 1);
  front.sort((a, b) => rank(a) - rank(b));
  const rest = shown.filter((resource) => !front.includes(resource));
  const few = changes.size <= 4 && !isLong;
  return h("section", { class: `card project${isBehind ? " behind" : ""}${isLong ? " dense" : ""}`, "data-key": project.name, "aria-labelledby": `project-${project.name}` },
    h("header", {},
      h("h2", { id: `project-${project.name}` }, project.name, badge(tone, word), project.source.refusal ? badge("bad", "Refused") : "", project.suspended && project.condition !== "suspended" ? badge("mute", "Suspended") : ""),
      h("div", { class: "buttons" }, orders(project.name, "", project.suspended, "small")),
      h("div", { class: "facts" },
        h("span", {}, h("code", {}, project.source.description || project.path)),
        commit(project),
        trail(project) ? "" : project.attempted ? h("span", {}, "revision ", h("code", { title: project.attempted }, short(project.attempted)), project.attempted === project.applied ? " in force" : "") : "",
        project.last_pass ? h("span", {}, "looked ", ago(project.last_pass)) : h("span", {}, "not looked at yet")),
      trail(project)),
    notes(status, project), rollout(project),
    front.length ? table(project, front, changes, few) : rest.length ? "" : h("p", { class: "empty" }, project.resources.length ? "Nothing here matches." : project.problems.length ? "" : "Nothing is declared yet."),
    rest.length ? others(project, rest, changes) : "");
}

// Where a git source stands: the revision that was tried, the one that was taken, the one that is in force.
function trail(project) {
  const stations = ["attempted", "accepted", "applied"].map((word) => [word, project.source[word]?.commit]).filter(([, revision]) => revision);
  const first = stations[0]?.[1];
  if (stations.every(([, revision]) => revision === first)) return ""; // then there is one revision to speak of
  return h("ol", { class: "trail", "aria-label": "Revisions" },
    stations.map(([word, revision]) => h("li", { class: revision === first && project.source.refusal ? "refused" : null }, h("span", {}, `${word} `, h("b", { class: "mono", title: revision }, short(revision))))));
}

function commit(project) {
  const revision = project.source.accepted;
  if (!revision?.subject) return "";
  return h("span", {}, `“${revision.subject}”`, revision.author ? ` by ${revision.author}` : "");
}

function note(tone, title, ...content) {
  return h("div", { class: `note ${tone}` }, h("p", { class: "title" }, icon(tone), title), content);
}

function notes(status, project) {
  const found = [];
  if (project.problems.length) {
    found.push(note("bad", project.resources.length ? "The spec is invalid; the last good one stays in force" : "The spec is invalid; nothing is touched",
      h("ul", {}, project.problems.slice(0, 20).map((problem) => h("li", { class: "problem" },
        h("code", {}, [problem.file.split("/").pop(), problem.line, problem.column].filter(Boolean).join(":")), " ", prose([problem.path, problem.message].filter(Boolean).join(": ")),
        problem.hint ? h("small", {}, prose(problem.hint)) : "")))));
  } else if (project.condition === "invalid") {
    found.push(note("bad", "Not kept", h("p", {}, prose(project.text))));
  } else if (project.condition === "engine away" && status.engine.connected) {
    found.push(note("away", "The engine did not answer", h("p", {}, prose(project.text))));
  } else if (project.condition === "failing" && !project.failures.length) {
    found.push(note("bad", "The last pass failed", h("p", {}, prose(project.text))));
  }
  if (project.source.refusal) found.push(note("bad", "The newest revision is refused; the former one stays in force", h("p", {}, prose(project.source.refusal))));
  const known = new Set(project.resources.map((resource) => resource.address));
  for (const failure of project.failures.filter((item) => !known.has(item.address))) {
    found.push(note("bad", `${failure.address} failed`, h("p", {}, failure.message)));
  }
  return found;
}

function rollout(project) {
  const running = project.under_way;
  if (!running) return "";
  const ended = running.changes.filter((change) => change.seconds !== null).length;
  const title = `${many(running.changes.length, "change")} under way`;
  const node = h("div", { class: "rollout busy", "data-key": "rollout" },
    h("p", { class: "title" }, icon("busy"), title, h("small", {}, `${causes(running.triggers)} · `, ago(running.at, ""))),
    h("div", { class: "bar", role: "progressbar", "aria-label": "Changes that are done", "aria-valuenow": ended, "aria-valuemin": 0, "aria-valuemax": running.changes.length, "data-done": Math.round((100 * ended) / running.changes.length) }),
    [...running.changes].sort((a, b) => stage(a) - stage(b)).slice(0, 30).map((change) => move(change)));
  return node;
}

const stage = (change) => (change.status === "under way" ? 0 : change.seconds === null ? 2 : change.status === "done" ? 3 : 1);

function move(change) {
  const tone = outcomeTone(change.status);
  const isOn = change.status === "under way";
  const steps = change.status === "done" ? [] : change.steps;
  return h("div", { class: `move${change.status === "done" || change.status === "waiting" ? " brief" : ""}`, "data-key": change.address },
    h("div", { class: "head" }, h("b", {}, change.address), h("span", { class: "since" }, VERBS[change.verb], change.order ? ` (${change.order})` : ""),
      sign(tone, change.status === "done" && change.seconds >= 0.1 ? `done in ${change.seconds.toFixed(1)} s` : change.status)),
    isOn && change.fields.length ? diff(change.fields.slice(0, 12), change.reason) : "",
    steps.length ? h("ol", { class: "steps" }, steps.map((step, position) => {
      const isLast = position === steps.length - 1;
      const until = isLast ? (isOn ? now() : null) : Date.parse(steps[position + 1].at);
      return h("li", { class: isLast ? (isOn ? "now" : "broke") : "" },
        h("span", {}, step.text, isLast && change.line ? h("span", { class: "line" }, change.line) : ""),
        until - Date.parse(step.at) >= 100 ? h("time", {}, `${((until - Date.parse(step.at)) / 1000).toFixed(1)} s`) : "");
    })) : "",
    change.message ? output(change.message, `What became of ${change.address}`) : "");
}

// --- resources -----------------------------------------------------------------------------------------------------------

function table(project, resources, changes, few) {
  return h("table", { class: "resources", role: "table", "data-key": `table-${resources[0].kind}` },
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ["Resource", "Sync", "Health", "Since", "Image", "Ports"].map((word) => h("th", { role: "columnheader", scope: "col" }, word)))),
    h("tbody", { role: "rowgroup" }, resources.map((resource) => rows(project, resource, changes, few))));
}

function changeOf(resource, changes) {
  const [whole, index] = resource.address.split("[");
  return changes.get(resource.address) || (index ? changes.get(whole) : undefined);
}

function rows(project, resource, changes, few) {
  const key = `${project.name}/${resource.address}`;
  const change = changeOf(resource, changes);
  const failure = project.failures.find((item) => item.address === resource.address);
  const held = project.held.find((item) => item.address === resource.address);
  const isOpen = state.isOpen.get(key) ?? Boolean(few && !project.under_way && (change || failure));
  const tone = toneOf(resource);
  const attention = tone === "ok" || tone === "busy" ? "" : ` attention ${tone}`;
  const [, name, index] = /^[a-z]+\.(.*?)(\[\d+\])?$/.exec(resource.address) || ["", resource.address, ""];
  const id = `inside-${key}`;
  const row = h("tr", { class: `row${attention}`, role: "row", "data-key": key },
    h("td", { role: "cell" }, h("button", { type: "button", class: "name", "aria-expanded": String(isOpen), "aria-controls": isOpen ? id : null, "data-do": "toggle", "data-open": key },
      icon("more"), h("span", {}, resource.kind === "container" ? "" : h("span", { class: "kind" }, `${resource.kind} `), name, index ? h("span", { class: "index" }, index) : ""),
      resource.suspended ? h("span", { class: "tag" }, "suspended") : held ? h("span", { class: "tag" }, held.why) : "", resource.job ? h("span", { class: "tag" }, "job") : "")),
    h("td", { role: "cell" }, sign(resource.suspended && resource.sync === "blocked" ? "mute" : SYNC[resource.sync] || "warn", resource.sync)),
    h("td", { role: "cell" }, sign(healthTone(resource), resource.health), resource.rollout ? h("div", { class: "since" }, `${rolloutRole(resource.rollout.name)} ${resource.rollout.health}`) : ""),
    h("td", { role: "cell", class: "since" }, ago(resource.since, "")),
    h("td", { role: "cell", class: "long", title: resource.image }, resource.kind === "image" ? h("code", {}, resource.image) : resource.image),
    h("td", { role: "cell", class: "long" }, resource.ports.map((port) => h("span", { class: "port" }, port))));
  if (!isOpen) return [row];
  return [row, h("tr", { class: `inside${attention}`, role: "row", id, "data-key": `${key}:inside` }, h("td", { role: "cell", colspan: 6 }, detail(project, resource, change, failure)))];
}

function rolloutRole(name) {
  return name.endsWith(".next") ? "candidate" : name.endsWith(".prev") ? "predecessor" : name;
}

function detail(project, resource, change, failure) {
  const key = `${project.name}/${resource.address}`;
  const held = project.held.find((item) => item.address === resource.address);
  const parts = [];
  if (change) parts.push(h("p", { class: "why" }, h("b", {}, capital(VERBS[change.verb])), change.order ? ` (${change.order})` : "", `, as ${REASONS[change.reason] || change.reason}`, change.note && change.note !== held?.text && !change.note.endsWith("as asked for") ? prose(`. ${capital(change.note)}`) : ""));
  else if (!failure && !isProblem(resource)) parts.push(h("p", { class: "why" }, "As declared."));
  else if (!change && !resource.well) parts.push(h("p", { class: "why" }, `As declared, and ${resource.health}: its log may say why.`));
  if (held) { // what it wrote when it failed stands below, as it was written
    const text = failure ? held.text.replace(failure.message, "").replace(/: *$/, "") : held.text;
    const until = held.until && Date.parse(held.until) > now() ? ` Again in ${span(-since(held.until))}.` : "";
    parts.push(h("p", { class: "held" }, icon("pause"), h("span", {}, h("b", {}, "Held back: "), prose(text.replace(/\.$/, "")), `.${until}`)));
  }
  const last = failure && project.last_change?.changes.find((item) => item.address === resource.address && item.status !== "done");
  if (failure) parts.push(h("div", { class: "failure" }, h("b", {}, failure.tries > 1 ? `It failed ${failure.tries} times` : "It failed"), " ", ago(failure.since), last?.status === "failed, restored" ? ", and was taken back: what served before serves again." : ""), output(failure.message, `Why ${resource.address} failed`));
  if (change?.fields.length) parts.push(diff(change.fields, change.reason));
  const buttons = [
    resource.kind === "container" && resource.health !== "absent" ? button("log", "log", state.logs.has(key) ? "Look again" : "Log", { "data-project": project.name, "data-address": resource.address }, "small") : "",
    ...orders(project.name, resource.address, resource.suspended, "small"),
    last?.steps.length ? steps("What was tried", last.steps.map((step) => step.text)) : change?.actions.length ? steps(many(change.actions.length, "step"), change.actions) : "",
  ].filter(Boolean);
  if (buttons.length) parts.push(h("div", { class: "buttons" }, buttons));
  for (const log of state.logs.get(key) || []) {
    parts.push(h("div", { class: "log" }, h("h4", {}, log.name, h("small", {}, log.status)), output(log.text || "It wrote nothing.", `Log of ${log.name}`)));
  }
  return h("div", { class: "detail" }, parts);
}

// It may be longer than its box: then the keyboard must reach it.
const output = (text, label) => h("pre", { tabindex: 0, role: "region", "aria-label": label }, text);

function steps(title, texts) {
  return h("details", { class: "plan-actions" }, h("summary", { class: "button small quiet" }, icon("more"), title), h("ol", {}, texts.map((text) => h("li", {}, text))));
}

function diff(fields, reason) {
  return h("dl", { class: "diff" }, fields.map((field) => h("div", { class: "field" },
    h("dt", {}, field.path),
    h("dd", { class: "values" }, value("del", field, "observed"), icon("arrow"), h("span", { class: "unseen" }, "becomes"), value("ins", field, "desired")),
    h("dd", { class: "about" },
      field.reason === reason ? "" : h("span", {}, REASONS[field.reason] || field.reason),
      COSTS[field.forces] ? h("span", { class: "cost" }, COSTS[field.forces]) : field.forces.startsWith("signal:") ? h("span", {}, `sends ${field.forces.slice(7)}`) : GENTLE[field.forces] ? h("span", {}, GENTLE[field.forces]) : "",
      field.source ? h("code", {}, field.source) : ""))));
}

function value(tag, field, side) {
  const raw = field[side];
  const written = field.shown ? field.shown[side === "observed" ? 0 : 1] : raw === null ? "(none)" : JSON.stringify(raw);
  const text = /^"[^"\\\s]+"$/.test(written) ? written.slice(1, -1) : written; // quotes only where they tell something
  const isAbsent = text === "(none)" || text === "";
  return h(tag, { class: isAbsent ? "absent" : null }, isAbsent ? "none" : text);
}

function others(project, resources, changes) {
  const key = `${project.name}:others`;
  const isOpen = state.isOpen.get(key) ?? false;
  const counts = ["image", "network", "volume"].map((kind) => [resources.filter((item) => item.kind === kind).length, kind]).filter(([count]) => count);
  return h("div", { class: "others", "data-key": key },
    h("button", { type: "button", "aria-expanded": String(isOpen), "data-do": "toggle", "data-open": key }, icon("more"), counts.map(([count, kind]) => many(count, kind)).join(", "), sign("ok", "in sync")),
    isOpen ? table(project, resources, changes, false) : "");
}

// --- history -------------------------------------------------------------------------------------------------------------

function causes(triggers) {
  const first = (triggers || [])[0];
  if (!first) return "";
  const words = { start: "started", files: "files changed", commit: "a commit", event: "the engine told of it", reconnected: "the engine came back", resync: "looked as usual", retry: "tried again", person: "asked for", settings: "the configuration changed" };
  const word = words[first.cause] || first.cause;
  if (first.cause === "files") return first.text ? `${first.text.split("/").pop()} changed` : word;
  if (first.cause === "event") return first.text || word;
  return first.text && first.cause !== "start" && first.cause !== "reconnected" ? first.text : word;
}

function sentence(entry) {
  const resources = entry.resources || [];
  if (!resources.length) return entry.error ? "could not look" : "did nothing";
  const failed = resources.filter((item) => item.status !== "done" && item.status !== "blocked");
  if (failed.length) return `${failed[0].address} ${failed[0].status}${failed.length > 1 ? `; ${failed.length - 1} more` : ""}`;
  if (resources.length === 1) return `${PAST[resources[0].verb] || resources[0].verb} ${resources[0].address}`;
  const counts = Object.keys(PAST).map((verb) => [resources.filter((item) => item.verb === verb).length, verb]).filter(([count]) => count);
  return `${counts.map(([count, verb]) => `${PAST[verb]} ${count}`).join(", ")}`;
}

const RESULTS = { done: "ok", failed: "bad", incomplete: "warn" };

function historyEntry(entry) {
  const key = `history/${entry.id}`;
  const isOpen = state.isOpen.get(key) ?? false;
  const tone = RESULTS[entry.result] || "mute";
  const several = (state.status?.projects.length || 0) > 1 ? `${entry.project}: ` : "";
  const facts = [causes(entry.triggers), short(entry.revision || ""), entry.seconds >= 0.1 ? `${entry.seconds.toFixed(1)} s` : "", entry.times > 1 ? `${entry.times} times` : ""];
  return h("li", { class: `entry ${tone}`, "data-key": key },
    h("button", { type: "button", "aria-expanded": String(isOpen), "data-do": "toggle", "data-open": key, "data-entry": String(entry.id) },
      icon(tone), h("span", { class: "what" }, h("span", { class: "unseen" }, `${entry.result}: `), several, sentence(entry)), h("span", { class: "when" }, ago(entry.until || entry.at, "")),
      h("span", { class: "because" }, facts.filter(Boolean).join(" · "))),
    isOpen ? passDetail(entry) : "");
}

function passDetail(entry) {
  const pass = state.passes.get(entry.id);
  if (!pass) return h("div", { class: "pass skeleton", "aria-hidden": "true" }, h("i"), h("i"));
  const outcomes = new Map((pass.outcomes || []).map((outcome) => [outcome.address, outcome]));
  return h("div", { class: "pass" },
    h("p", { class: "why" }, new Date(entry.at).toLocaleString(), entry.revision ? h("span", {}, ", revision ", h("code", { title: entry.revision }, short(entry.revision))) : ""),
    pass.error ? output(pass.error, "Why it failed") : "",
    (pass.changes || []).map((change) => {
      const outcome = outcomes.get(change.address);
      return h("div", {}, h("h4", {}, change.address, outcome ? h("small", {}, outcome.status === "done" ? `${PAST[change.verb]} in ${outcome.seconds.toFixed(1)} s` : outcome.status) : ""),
        h("p", { class: "why" }, `As ${REASONS[change.reason] || change.reason}.`), change.fields.length ? diff(change.fields, change.reason) : "",
        outcome?.message ? output(outcome.message, `What became of ${change.address}`) : "");
    }));
}

function showHistory() {
  const found = state.history;
  if (found === null) return;
  const entries = found.filter((entry) => !state.filter || state.filter.toLowerCase().split(/\s+/).every((word) => JSON.stringify(entry).toLowerCase().includes(word)));
  show(byId("history"), !found.length ? [h("p", { class: "empty" }, state.noHistory ? "No history is kept: `run` was given no state directory." : "Nothing was done yet.")]
    : [h("ol", {}, entries.map(historyEntry)), state.before ? h("div", { class: "more" }, h("button", { type: "button", class: "button small quiet", "data-do": "older" }, "Older")) : ""].filter(Boolean));
}

// --- all of it -----------------------------------------------------------------------------------------------------------

function render() {
  showLink();
  const status = state.status;
  if (!status) return;
  showVerdict(status);
  showTop(status);
  const cards = status.projects.map((project) => projectCard(status, project)).filter(Boolean);
  const nothing = status.projects.length ? (state.filter ? `Nothing matches “${state.filter}”${state.onlyProblems ? " among the problems" : ""}.` : "No problems.") : "There is no project.";
  byId("projects").removeAttribute("aria-busy");
  show(byId("projects"), cards.length ? cards : [h("p", { class: "card empty" }, nothing)]);
  for (const bar of document.querySelectorAll(".bar")) bar.style.setProperty("--done", `${bar.dataset.done}%`);
  showHistory();
}

// --- asking --------------------------------------------------------------------------------------------------------------

async function ask(path, options = {}) {
  const answer = await fetch(API + path, { cache: "no-store", signal: AbortSignal.timeout(20000), ...options });
  const document = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(document.error?.message || `it answered ${answer.status}`), { status: answer.status, hint: document.error?.hint });
  return document;
}

// What a pass is at is known sooner than how it stands afterwards.
function prepared(status) {
  for (const project of status.projects) {
    const failed = new Set(project.failures.map((failure) => failure.address));
    const moving = new Set((project.under_way?.changes || []).filter((change) => change.seconds === null).map((change) => change.address));
    for (const resource of project.resources) {
      if (moving.has(resource.address)) resource.sync = "changing";
      resource.failed = failed.has(resource.address);
      resource.ports = resource.ports.map((port) => port.replace(/\/tcp$/, "").replace("->", "→"));
    }
  }
  return status;
}

let isLooking = false, isDue = false;
async function look() {
  if (isLooking) { isDue = true; return; }
  isLooking = true;
  try {
    const [status, plans] = await Promise.all([ask("status"), ask("plan")]);
    skew = Date.parse(status.at) - Date.now();
    state.status = prepared(status);
    state.plans = new Map(plans.projects.map((entry) => [entry.name, entry]));
    state.trouble = "";
  } catch (error) {
    state.trouble = error.status ? error.message : "";
    if (!error.status) state.isConnected = false;
  }
  render();
  setTimeout(() => { isLooking = false; if (isDue) { isDue = false; look(); } }, 250);
}

async function lookAtHistory(older = false) {
  try {
    const found = await ask(`history?limit=30${older ? `&before=${state.before}` : ""}`);
    const known = older ? state.history : (state.history || []).filter((entry) => found.entries.length && entry.id < found.entries.at(-1).id);
    state.history = older ? [...known, ...found.entries] : [...found.entries, ...known];
    if (older || !known.length) state.before = found.before;
  } catch (error) {
    if (error.status === 404) { state.history = []; state.noHistory = true; } else if (state.history === null) state.history = [];
  }
  render();
}

function follow() {
  const events = new EventSource(`${API}events`);
  events.onopen = () => { state.isConnected = true; showLink(); };
  events.onerror = () => {
    state.isConnected = false;
    showLink();
    if (events.readyState === EventSource.CLOSED) setTimeout(follow, 5000); // refused: a browser gives up then
  };
  events.addEventListener("look", () => { look(); lookAtHistory(); });
  for (const name of ["pass-started", "plan", "action", "state", "source"]) events.addEventListener(name, look);
  events.addEventListener("pass-ended", (event) => {
    look();
    const ended = JSON.parse(event.data);
    if (ended.acted || ended.error) setTimeout(lookAtHistory, 300); // it is written beside the pass
  });
}

// --- doing ---------------------------------------------------------------------------------------------------------------

let silence = 0;
function say(text) {
  byId("said").textContent = text;
  clearTimeout(silence);
  silence = setTimeout(() => { byId("said").textContent = ""; }, 4000);
}

async function order(what, project, address) {
  const body = JSON.stringify({ ...(project && { project }), ...(address && { address }) });
  try {
    await ask(what, { method: "POST", body, headers: { Authorization: `Bearer ${state.token}`, "Content-Type": "application/json" } });
    say(`${{ reconcile: "Looking at", suspend: "Suspended", resume: "Resumed" }[what]} ${address || project || "everything"}`);
    look();
  } catch (error) {
    if (error.status === 401) { lock(); openUnlock("That token is not right any more."); } else say(`Not done: ${error.message}`);
  }
}

function lock() {
  state.token = "";
  sessionStorage.removeItem("token");
  render();
}

function openUnlock(trouble = "") {
  byId("unlock-error").textContent = trouble;
  byId("token").value = "";
  byId("unlock").showModal();
}

async function readLog(project, address) {
  const key = `${project}/${address}`;
  try {
    const found = await ask(`logs?project=${encodeURIComponent(project)}&address=${encodeURIComponent(address)}&tail=200`);
    state.logs.set(key, found.containers);
  } catch (error) {
    state.logs.set(key, [{ name: address, status: "", text: error.message }]);
  }
  state.isOpen.set(key, true);
  render();
}

async function toggle(target) {
  const key = target.dataset.open;
  const isOpen = target.getAttribute("aria-expanded") !== "true";
  state.isOpen.set(key, isOpen);
  if (!isOpen) state.logs.delete(key);
  render();
  const id = Number(target.dataset.entry);
  if (isOpen && id && !state.passes.has(id)) {
    state.passes.set(id, await ask(`history/${id}`).catch((error) => ({ error: error.message })));
    render();
  }
}

const THEMES = ["", "light", "dark"];
function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme; else delete document.documentElement.dataset.theme;
  const word = { "": "Auto", light: "Light", dark: "Dark" }[theme];
  show(byId("theme"), [icon("theme"), h("span", { class: "word" }, word)]);
  byId("theme").setAttribute("aria-label", `Colours: ${word}. Change`);
}

const DEEDS = {
  toggle, older: () => lookAtHistory(true), "close-unlock": () => byId("unlock").close(),
  theme() {
    const next = THEMES[(THEMES.indexOf(localStorage.getItem("theme") || "") + 1) % THEMES.length];
    localStorage.setItem("theme", next);
    setTheme(next);
  },
  key: () => (state.token ? lock() : openUnlock()),
  log: (target) => readLog(target.dataset.project, target.dataset.address),
};
for (const what of ["reconcile", "suspend", "resume"]) DEEDS[what] = (target) => order(what, target.dataset.project, target.dataset.address);

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-do]");
  if (target) DEEDS[target.dataset.do](target);
});
byId("unlock-form").addEventListener("submit", (event) => {
  event.preventDefault();
  state.token = byId("token").value.trim();
  sessionStorage.setItem("token", state.token);
  byId("unlock").close();
  render();
});
byId("filter").addEventListener("input", (event) => { state.filter = event.target.value.trim(); render(); });
byId("problems").addEventListener("change", (event) => { state.onlyProblems = event.target.checked; render(); });
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, textarea, dialog");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    byId("filter").focus();
  } else if (event.key === "Escape" && event.target === byId("filter")) {
    event.target.value = state.filter = "";
    event.target.blur();
    render();
  }
});

setTheme(localStorage.getItem("theme") || "");
showLink();
look();
lookAtHistory();
follow();
setInterval(() => { if (state.status?.projects.some((project) => project.under_way) || state.isConnected === false) render(); }, 1000);
setInterval(render, 10000);
setInterval(look, 30000); // a connection may be gone without a word
