"use strict";
// Three pages of one queue: antrean (draw), papan (the hall), loket (a counter calls).
const page = document.body.dataset.page;
const byId = (id) => document.getElementById(id);
let lang = "id";
let board = null;
let held = null; // what was told to this citizen or counter, until they go on
let busy = false; // a request is on its way: nothing else is asked for meanwhile
let leaving = null;
// The first page of a kiosk with a ticket printer says so in the address; its session remembers.
const PRINTER = "http://127.0.0.1:8080/ticket";
const ATTEMPTS = 3;
if (location.hash === "#cetak") sessionStorage.setItem("prints", "yes");
const prints = page === "antrean" && sessionStorage.getItem("prints") === "yes";
const say = (key) => board.texts["queue_" + key][lang];

function make(kind, words, inside = []) {
  const part = document.createElement(kind);
  part.textContent = words;
  part.append(...inside);
  return part;
}

function notice(key) {
  byId("notice").hidden = !key;
  if (key && board) byId("notice").textContent = say(key);
}

// Puts parts in place of those before; what had the keyboard's focus keeps it.
function replace(box, parts) {
  const all = () => [...box.querySelectorAll("a, button")];
  const at = all().indexOf(document.activeElement);
  box.replaceChildren(...parts);
  if (at >= 0) all()[at]?.focus();
}

// A request keeps its key until it is answered: a lost answer never costs a second number.
async function ask(path, body) {
  const key = crypto.randomUUID();
  for (;;) {
    try {
      const answer = await fetch(path, { method: "POST", body: JSON.stringify({ ...body, key }), signal: AbortSignal.timeout(5000) });
      const told = await answer.json();
      if (answer.ok) return { ...told, key };
      notice(told.reason.replace("queue_", ""));
      return null;
    } catch (error) {
      console.warn("no answer", error);
      notice("again");
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}

async function request(path, body) {
  busy = true;
  show();
  held = await ask(path, body);
  busy = false;
  if (held) notice("");
  show();
}

async function draw(office) {
  await request("/api/tickets", { office });
  leave(held, 15000);
  if (held && prints) await print(held, 1);
}

// A number stays on the panel for a while, and then makes room for the next citizen.
function leave(mine, after) {
  clearTimeout(leaving);
  leaving = setTimeout(() => { if (held === mine) { held = null; show(); } }, after);
}

// Asked for once: another piece of paper is only printed when the citizen touches the button for it.
async function print(mine, attempt) {
  mine.paper = "printing";
  leave(mine, 30000);
  show();
  let outcome = "";
  try {
    const body = JSON.stringify({ office: mine.office, key: mine.key, attempt });
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch(PRINTER, { method: "POST", headers, body, signal: AbortSignal.timeout(20000) });
    if (answer.ok) outcome = (await answer.json()).outcome;
  } catch (error) {
    console.warn("the printer does not answer", error);
  }
  mine.paper = { printed: "printed", paper: "unprinted_paper" }[outcome] || "unprinted";
  mine.attempt = attempt;
  if (held !== mine) return;
  leave(mine, outcome === "printed" ? 15000 : 30000);
  show();
}

async function call(counter) {
  await request("/api/calls", { counter });
  await look();
}

const pages = {
  antrean() {
    byId("survey").textContent = say("survey");
    byId("title").textContent = say("draw");
    if (held) {
      const box = make("div", say("yours"), [make("b", held.ticket), make("p", `${held.ahead} ${say("ahead")}`)]);
      box.className = "ticket";
      if (held.paper) box.append(make("p", say(held.paper)));
      const back = make("button", say("back"));
      back.addEventListener("click", () => { held = null; show(); });
      if (!held.paper?.startsWith("unprinted") || held.attempt >= ATTEMPTS) return [box, back];
      const again = make("button", say("print_again"));
      again.addEventListener("click", () => print(held, held.attempt + 1));
      return [box, back, again];
    }
    return board.offices.map((office) => {
      const button = make("button", "", [make("strong", office.title), make("span", `${office.waiting} ${say("waiting")}`)]);
      button.addEventListener("click", () => draw(office.name));
      return button;
    });
  },
  papan() {
    byId("title").textContent = say("board");
    if (!board.calls.length) return [make("p", say("nobody"))];
    return board.calls.map((one, place) => {
      const row = make("div", "", [make("b", one.ticket), make("span", `${say("counter")} ${one.counter}`)]);
      row.className = place ? "call" : "call newest";
      return row;
    });
  },
  loket() {
    byId("title").textContent = say("call");
    const parts = board.offices.flatMap((office) => office.counters.map((counter) => {
      const text = `${office.title}: ${office.waiting} ${say("waiting")}`;
      const button = make("button", "", [make("strong", `${say("counter")} ${counter}`), make("span", text)]);
      button.addEventListener("click", () => call(counter));
      return button;
    }));
    if (!held) return parts;
    const box = make("div", `${say("called")}: ${say("counter")} ${held.counter}`, [make("b", held.ticket)]);
    box.className = "ticket";
    return [box, ...parts];
  },
};

function show() {
  if (!board) return;
  document.documentElement.lang = lang;
  byId("mall").textContent = board.mall;
  byId("language").textContent = lang === "id" ? "English" : "Bahasa Indonesia";
  replace(byId("main"), pages[page]());
  for (const button of document.querySelectorAll("main button")) button.disabled = busy;
}

let drawn = "";
async function look() {
  try {
    const answer = await fetch("/api/board", { cache: "no-store", signal: AbortSignal.timeout(4000) });
    if (!answer.ok) throw new Error(answer.status);
    const words = await answer.text();
    board = JSON.parse(words);
    if (byId("notice").textContent === say("away")) notice("");
    const now = words + lang + JSON.stringify(held);
    if (now !== drawn) show();
    drawn = now;
  } catch (error) {
    console.warn("the queue does not answer", error);
    notice("away");
  }
}

byId("language").addEventListener("click", () => { lang = lang === "id" ? "en" : "id"; show(); });
look();
setInterval(look, 1000);
