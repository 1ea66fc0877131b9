// The hub inside a product's page: fetches the signed-in user's messages, shows them, reports what became of them.
//
// Lives in one shadow tree, and constructs its style sheet from the text of inapp.css, so that it needs nothing of a
// content security policy but its own origin in script-src and connect-src. Requests are "simple" ones (text/plain,
// no headers of our own): no preflight, no cookie. What the hub has not confirmed stays in localStorage and is sent
// again.
(() => {
"use strict";
const page = document, tag = page.currentScript, early = window.hubInApp;
const { user, signature, dir, labels = "{}", interval } = tag.dataset;
if (!user || !signature || early?.stop) return;

const base = tag.src.replace(/[^/]*$/, ""), place = `hub-inapp ${base} ${user}`;
const every = Math.max(5, interval || 60) * 1000;
const words = {
  close: "Close", ok: "OK", open: "Open", send: "Send", thanks: "Thank you!",
  nps: ["Not likely", "Very likely"], csat: ["Not satisfied", "Very satisfied"],
};
const codes = { shown: 0, clicked: 1, dismissed: 2, answered: 3, ticked: 16 };
const open = {};
let messages = [], skew = 0, due = 0, failures = 0, sending, stopped, back, styled;

// ---- What outlives the page: reports not yet confirmed, ids of those made, the product's events.
let memory = "{}";
const state = () => {
  try { memory = localStorage.getItem(place) || "{}"; } catch {}
  return { queue: [], told: [], events: [], folded: false, ...JSON.parse(memory) };
};
const change = (edit) => {
  const now = state();
  edit(now);
  for (const name of ["queue", "told", "events"]) now[name] = now[name].slice(-200);
  memory = JSON.stringify(now);
  try { localStorage.setItem(place, memory); } catch {}
};

// ---- Talking to the hub.
const written = (fields) => JSON.stringify({ ...fields, user, signature });
const post = async (path, fields) => {
  const answer = await fetch(base + path,
    { method: "POST", body: written(fields), keepalive: true, credentials: "omit" });
  if (answer.ok || answer.status == 400) return answer;
  throw 0;
};
const failed = () => {
  if (!failures++) console.warn("In-app: no answer from the hub; tried later");
  due = Date.now() + Math.min(every * 2 ** failures, 18e5) * (0.75 + Math.random() / 2);
};
const flush = async () => {
  if (sending) return;
  sending = 1;
  try {
    for (let next; (next = state().queue[0]); ) {
      await post("events", next);
      change((now) => { now.queue = now.queue.filter((report) => report.id != next.id); });
    }
  } finally { sending = 0; }
};
// A report's id follows from the message and what became of it: from two tabs, or sent twice, it is one report.
const named = (message, type, index = 0) =>
  message.id.slice(0, -2) + (codes[type] + index).toString(16).padStart(2, "0");
const report = (message, type, fields, index) => {
  const id = named(message, type, index), at = new Date(Date.now() + skew).toISOString();
  if (state().told.includes(id)) return;
  change(({ told, queue }) => {
    told.push(id);
    queue.push({ id, type, message: message.id, at, ...fields });
  });
  if (!failures) flush().catch(failed);
};
const tick = async () => {
  if (stopped || page.hidden) return;
  arrange();
  if (Date.now() < due || !navigator.onLine) return;
  due = Infinity;
  try {
    await flush();
    const got = await (await post("messages")).json();
    skew = Date.parse(got.now) - Date.now();
    if (got.messages[0] && !styled) {
      const css = await fetch(base + "inapp.css", { credentials: "omit" });
      if (!css.ok) throw 0;
      styled = sheet.replaceSync(await css.text()) || true;
    }
    messages = got.messages;
    failures = 0;
    due = Date.now() + every;
  } catch { return failed(); }
  arrange();
};

// ---- The tree.
const make = (name, attributes, ...children) => {
  const node = page.createElement(name);
  for (const [key, value] of Object.entries(attributes))
    if (typeof value == "function") node.addEventListener(key, value);
    else if (value != null) node.setAttribute(key, value);
  node.append(...children.filter((child) => child || child === 0));
  return node;
};
const host = make("hub-inapp", {}), root = host.attachShadow({ mode: "open" });
const live = make("div", { role: "status", class: "unseen" });
const sheet = new CSSStyleSheet();
root.adoptedStyleSheets = [sheet];
root.append(live);

const announce = (text) => setTimeout(() => { live.textContent = text; }, 100);
const button = (label, click, kind, name) =>
  make("button", { class: kind, "aria-label": name, click }, label);
const cross = (slot) => button("✕", () => end(slot, "dismissed"), "x", words.close);
const follow = ({ url, button: label }, slot, otherwise) =>
  url ? make("a", { href: url, class: "main", click: () => end(slot, "clicked") }, label || words.open)
    : button(label || otherwise, () => end(slot, "clicked"), "main");
const head = (message, slot) => make("header", {}, make("h2", { id: slot }, message.title), cross(slot));
const said = ({ body }, slot) => body && make("p", { id: slot + "-body" }, body);

// ---- The forms: each gives the content of its frame.
const forms = {
  callout: (message, slot) => [head(message, slot), said(message, slot), follow(message, slot, words.ok)],
  banner: (message, slot) => [
    make("p", {}, make("strong", { id: slot }, message.title), message.body && " " + message.body),
    message.url && follow(message, slot),
    cross(slot),
  ],
  survey: (message, slot) => {
    const kind = message.survey || "nps", ends = words[kind], first = kind == "csat" ? 1 : 0, last = first ? 5 : 10;
    const low = message.low || ends?.[0], high = message.high || ends?.[1];
    const choice = (value) => make("label", {},
      make("input", { type: "radio", name: "answer", value, required: "",
        "aria-label": value == first ? `${value}, ${low}` : value == last ? `${value}, ${high}` : null }),
      make("span", {}, value));
    const text = (name, label, required) => make("textarea", { name, "aria-label": label, required, maxlength: 2000 });
    const submit = (event) => {
      event.preventDefault();
      const { answer, comment } = Object.fromEntries(new FormData(event.target)), { node } = open[slot];
      if (!answer.trim()) return;
      report(message, "answered", { survey: kind, answer: ends ? +answer : answer, comment: comment || undefined });
      leave(node);
      node.replaceChildren(make("p", {}, words.thanks));
      announce(words.thanks);
      setTimeout(end, 2500, slot);
    };
    const scale = () => Array.from({ length: last - first + 1 }, (_, index) => choice(first + index));
    return [head(message, slot), said(message, slot), make("form", { submit },
      ends ? make("div", { class: "scale", role: "radiogroup", "aria-labelledby": slot }, ...scale())
        : text("answer", message.title, ""),
      ends && make("div", { class: "ends", "aria-hidden": true }, make("span", {}, low), make("span", {}, high)),
      message.comment && make("p", {}, message.comment),
      message.comment && text("comment", message.comment),
      make("button", { class: "main" }, message.button || words.send))];
  },
  checklist: (message, slot) => {
    const fold = button(message.title, () => { change((now) => { now.folded = !now.folded; }); arrange(); }, "fold");
    fold.id = slot;
    const boxes = message.items.map((item, index) => make("input", {
      type: "checkbox", "aria-label": item.title, disabled: item.event ? "" : null,
      change: () => { tickItem(message, item, index); arrange(); },
    }));
    const bar = make("progress", { max: boxes.length, "aria-labelledby": slot });
    const list = make("div", {}, said(message, slot), make("ul", {}, ...message.items.map((item, index) =>
      make("li", {}, make("label", {}, boxes[index], item.url ? "" : item.title),
        item.url && make("a", { href: item.url }, item.title)))));
    open[slot].refresh = () => {
      const { told, folded } = state();
      boxes.forEach((box, index) => { box.checked = isTicked(message, message.items[index], index, told); });
      bar.value = boxes.filter((box) => box.checked).length;
      list.hidden = folded;
      fold.setAttribute("aria-expanded", !folded);
    };
    open[slot].escape = () => { fold.focus(); if (!list.hidden) fold.click(); };
    return [make("header", {}, make("h2", {}, fold), cross(slot)), bar, list];
  },
};
const isTicked = (message, item, index, told) =>
  message.ticked.includes(item.id) || told.includes(named(message, "ticked", index));
const tickItem = (message, item, index) => report(message, "ticked", { item: item.id }, index);

// ---- Which message is on the screen: one banner, one card, one checklist at a time.
const isOver = (message, told) =>
  ["clicked", "dismissed", "answered"].some((type) => told.includes(named(message, type)));
const find = (selector) => { try { return page.querySelector(selector); } catch {} };
const arrange = () => {
  if (stopped || !page.body) return;
  if (!host.isConnected) page.body.append(host);
  host.dir = dir || getComputedStyle(page.body).direction;
  const { told, events } = state();
  for (const message of messages) {
    (message.items || []).forEach((item, index) => {
      if (events.includes(item.event) && !isTicked(message, item, index, told)) tickItem(message, item, index);
    });
    const slot = { banner: "banner", checklist: "checklist", callout: "card", survey: "card" }[message.kind];
    const anchor = message.target && find(message.target);
    if (slot && !open[slot] && !isOver(message, told) && (anchor || !message.target)) show(message, slot, anchor);
  }
  for (const [slot, { message, node, anchor, refresh }] of Object.entries(open)) {
    const gone = anchor?.isConnected === false || !messages.some(({ id }) => id == message.id);
    gone && !node.contains(root.activeElement) ? end(slot) : refresh?.();
  }
};
const show = (message, slot, anchor) => {
  const isCard = slot == "card", corner = message.corner || (message.items ? "bottom-start" : "bottom-end");
  const node = make("section", {
    class: `card ${message.kind} ${slot == "banner" ? "" : corner.replace("-", " ")}`, tabindex: "-1",
    role: isCard ? "dialog" : "region", "aria-labelledby": slot,
    "aria-describedby": slot + "-body",
  });
  open[slot] = { message, node, anchor };
  node.append(...forms[message.kind](message, slot).filter(Boolean));
  root.append(node);
  point();
  report(message, "shown");
  announce(`${message.title} ${isCard ? message.body : ""}`);
  // Focus moves in when nobody is at work elsewhere on the page; F6 brings it in at any time, and back.
  if (isCard && page.activeElement == page.body) node.focus();
};
const point = () => {
  const { node, anchor } = open.card || {};
  if (!anchor) return;
  const box = anchor.getBoundingClientRect(), wide = node.offsetWidth, high = node.offsetHeight;
  const within = (wish, room) => Math.max(8, Math.min(wish, room - 8)) + "px";
  const top = box.bottom + 8 + high > innerHeight && box.top > high + 8 ? box.top - high - 8 : box.bottom + 8;
  node.style.inset = "auto";
  node.style.top = within(top, innerHeight - high);
  node.style.left = within(host.dir == "rtl" ? box.right - wide : box.left, innerWidth - wide);
};
const leave = (node) => {
  if (!node.contains(root.activeElement)) return;
  root.activeElement.blur();
  if (back?.isConnected) back.focus();
  back = null;
};
const end = (slot, type) => {
  const { message, node } = open[slot] || {};
  if (!node) return;
  if (type && !isOver(message, state().told)) report(message, type);
  leave(node);
  node.remove();
  delete open[slot];
};

// ---- The page's own doings.
const life = new AbortController();
const on = (target, name, hear) => target.addEventListener(name, hear, { capture: true, signal: life.signal });
on(page, "visibilitychange", () => tick());
on(window, "online", () => { due = 0; tick(); });
on(window, "resize", point);
on(window, "scroll", point);
on(window, "pagehide", () => state().queue.forEach((each) => navigator.sendBeacon(base + "events", written(each))));
on(page, "keydown", (event) => {
  if (event.defaultPrevented) return;
  const slots = Object.keys(open), at = slots.find((slot) => open[slot].node.contains(root.activeElement));
  if (event.key == "Escape" && at) {
    open[at].escape ? open[at].escape() : end(at, "dismissed");
  } else if (event.key == "F6" && slots.length) {
    const next = slots[slots.indexOf(at) + 1];
    if (!at) back = page.activeElement;
    next ? open[next].node.focus() : leave(open[at].node);
  } else return;
  event.preventDefault();
});
const clock = setInterval(tick, 1000);
const push = (...names) => {
  change((now) => { now.events = [...new Set([...now.events, ...names])]; });
  arrange();
};
const stop = () => {
  stopped = true;
  clearInterval(clock);
  life.abort();
  host.remove();
  delete window.hubInApp;
};
window.hubInApp = { push, stop };
if (Array.isArray(early)) push(...early);
try { Object.assign(words, JSON.parse(labels)); } catch { console.warn("In-app: bad data-labels"); }
tick();
})();
