"use strict";

const at = (id) => document.getElementById(id);
const examples = JSON.parse(at("examples").textContent);
let running = null;

at("key").value = sessionStorage.getItem("hub.key") || "";
at("query").value = sessionStorage.getItem("hub.query") || Object.values(examples)[0] || "{ viewer { actor role } }";

function say(text) { at("status").textContent = text; }

function headers(accept) {
  return { "accept": accept, "authorization": "Bearer " + at("key").value.trim(), "content-type": "application/json" };
}

async function run() {
  if (running) running.abort();
  const mine = running = new AbortController();
  const query = at("query").value;
  sessionStorage.setItem("hub.key", at("key").value.trim());
  sessionStorage.setItem("hub.query", query);
  let variables;
  try { variables = JSON.parse(at("variables").value || "{}"); } catch (error) { return say("Variables: " + error.message); }
  const streams = /^\s*subscription\b/m.test(query);
  const accept = streams ? "text/event-stream" : "application/graphql-response+json";
  at("stop").disabled = false;
  at("result").textContent = "";
  say("…");
  const began = performance.now();
  try {
    const response = await fetch("/graphql", {
      method: "POST", headers: headers(accept), body: JSON.stringify({ query, variables }), signal: mine.signal,
    });
    if ((response.headers.get("content-type") || "").startsWith("text/event-stream")) {
      await follow(response);
    } else {
      show(JSON.parse(await response.text()));
      say(response.status + " in " + Math.round(performance.now() - began) + " ms");
    }
  } catch (error) {
    say(error.name === "AbortError" ? "Stopped" : String(error));
  } finally {
    if (running === mine) { running = null; at("stop").disabled = true; }
  }
}

async function follow(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "", count = 0;
  say("Listening…");
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return say("Ended after " + count + " events");
    waiting += value;
    const parts = waiting.split("\n\n");
    waiting = parts.pop();
    for (const part of parts) {
      const lines = part.split("\n");
      const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5)).join("\n").trim();
      if (!lines.includes("event: next") || !data) continue;
      say(++count + " events");
      at("result").prepend(JSON.stringify(JSON.parse(data), null, 2) + "\n\n");
    }
  }
}

function show(result) { at("result").textContent = JSON.stringify(result, null, 2); }

const OF_TYPE = "kind name ofType { kind name ofType { kind name ofType { kind name } } }";
const SCHEMA = `{ __schema { types { name kind description enumValues { name description }
  inputFields { name description type { ${OF_TYPE} } }
  fields { name description args { name } type { ${OF_TYPE} } } } } }`;

function written(type) {
  if (type.kind === "NON_NULL") return written(type.ofType) + "!";
  if (type.kind === "LIST") return "[" + written(type.ofType) + "]";
  return type.name;
}

function element(name, text) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  return made;
}

let types = null;

async function readSchema() {
  if (types || !at("key").value.trim()) return;
  const response = await fetch("/graphql", {
    method: "POST", headers: headers("application/json"), body: JSON.stringify({ query: SCHEMA }),
  });
  const { data } = await response.json();
  if (!data) return;
  types = data.__schema.types.filter((type) => !type.name.startsWith("__"));
  list();
}

function list() {
  const wanted = at("search").value.trim().toLowerCase();
  at("types").replaceChildren(...(types || []).map((type) => {
    const members = [...(type.fields || []), ...(type.inputFields || []), ...(type.enumValues || [])];
    const named = type.name.toLowerCase().includes(wanted);
    const found = named ? members : members.filter((member) => member.name.toLowerCase().includes(wanted));
    if (wanted && !named && !found.length) return null;
    const details = element("details");
    details.open = Boolean(wanted) && !named;
    details.append(element("summary", type.name), element("div", type.description || ""));
    const entries = element("dl");
    for (const member of found) {
      const args = member.args && member.args.length ? "(" + member.args.map((arg) => arg.name).join(", ") + ")" : "";
      entries.append(element("dt", member.name + args + (member.type ? ": " + written(member.type) : "")));
      entries.append(element("dd", member.description || ""));
    }
    details.append(entries);
    return details;
  }).filter(Boolean));
}

at("run").addEventListener("click", run);
at("stop").addEventListener("click", () => running && running.abort());
at("search").addEventListener("input", list);
at("key").addEventListener("change", () => { types = null; readSchema(); });
async function fill(query) {
  const known = {};
  if (/\$account: ID!/.test(query)) {
    const response = await fetch("/graphql", {
      method: "POST", headers: headers("application/json"),
      body: JSON.stringify({ query: "{ accounts(first: 1) { nodes { id } } }" }),
    });
    const { data } = await response.json();
    if (data && data.accounts.nodes.length) known.account = data.accounts.nodes[0].id;
  }
  if (/\$from: DateTime!/.test(query)) known.from = new Date(Date.now() - 30 * 86400000).toISOString();
  at("variables").value = JSON.stringify(known, null, 2);
}

at("example").addEventListener("change", (event) => {
  if (!event.target.value) return;
  at("query").value = examples[event.target.value];
  fill(at("query").value);
});
at("query").addEventListener("keydown", (event) => {
  if (event.key !== "Tab" || event.shiftKey) return;
  event.preventDefault();
  event.target.setRangeText("  ", event.target.selectionStart, event.target.selectionEnd, "end");
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); run(); }
});
readSchema();
