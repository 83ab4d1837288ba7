"use strict";
// Three pages of one queue: antrean (draw), papan (the hall), loket (an officer calls to a counter).
const page = document.body.dataset.page;
const byId = (id) => document.getElementById(id);
let lang = "id";
let board = null;
let held = null; // what was told to this citizen, until they go on
let busy = false; // a request is on its way: nothing else is asked for meanwhile
let noticed = ""; // the key of what is said above the rest
let counter = Number(location.hash.slice(1)); // the officer's, kept in the address so that it can be bookmarked
let announced = null; // the call that the hall has seen last
let until = 0; // till when it is pointed out
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

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

function notice(key) {
  noticed = key;
  byId("notice").hidden = !key;
  const words = key && board ? say(key) : "";
  if (byId("notice").textContent !== words) byId("notice").textContent = words; // read aloud once
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
      await pause(1000);
    }
  }
}

async function request(path, body) {
  busy = true;
  show();
  const told = await ask(path, body);
  if (told) notice("");
  return told;
}

function done() {
  busy = false;
  show();
}

async function draw(office) {
  held = await request("/api/tickets", { office });
  done();
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

// A second press of the same key, by mistake, must not pass over a citizen.
async function call(path) {
  await Promise.all([request(path, { counter }), pause(1000)]);
  await look();
  done();
}

function choose(number) {
  counter = number;
  history.replaceState(null, "", `#${number || ""}`);
  notice("");
  show();
  document.querySelector("main button")?.focus();
}

function act(words, does, inside = []) {
  const button = make("button", words, inside);
  button.type = "button";
  button.addEventListener("click", () => { if (!busy) does(); });
  return button;
}

function rows(newest) {
  return board.calls.map((one) => {
    const again = one.again ? [make("small", say("recalled"))] : [];
    const row = make("div", "", [make("b", one.ticket), make("span", `${say("counter")} ${one.counter}`, again)]);
    row.className = one === newest ? "call newest" : "call";
    row.classList.toggle("flash", one === newest && Date.now() < until);
    return row;
  });
}

const pages = {
  antrean() {
    byId("survey").textContent = say("survey");
    byId("title").textContent = say("draw");
    if (held) {
      const box = make("div", say("yours"), [make("b", held.ticket), make("p", `${held.ahead} ${say("ahead")}`)]);
      box.className = "ticket";
      if (held.paper) box.append(make("p", say(held.paper)));
      const back = act(say("back"), () => { held = null; show(); });
      if (!held.paper?.startsWith("unprinted") || held.attempt >= ATTEMPTS) return [box, back];
      return [box, back, act(say("print_again"), () => print(held, held.attempt + 1))];
    }
    return board.offices.map((office) => act("", () => draw(office.name),
      [make("strong", office.title), make("span", `${office.waiting} ${say("waiting")}`)]));
  },
  papan() {
    byId("title").textContent = say("board");
    const [newest] = board.calls;
    const now = newest ? `${newest.ticket} ${newest.again}` : "";
    if (announced !== null && now !== announced) until = Date.now() + 5000;
    announced = now;
    if (board.opens) {
      const form = { weekday: "long", day: "numeric", month: "long", hour: "2-digit", minute: "2-digit" };
      const when = new Date(board.opens).toLocaleString(lang, form);
      const box = make("div", say("closed"), [make("p", say("opens").replace("{when}", when))]);
      box.className = "closed";
      return [box, ...rows(newest)];
    }
    return newest ? rows(newest) : [make("p", say("nobody"))];
  },
  loket() {
    const all = board.counters;
    const mine = all.length === 1 ? all[0] : all.find((one) => one.counter === counter);
    counter = mine?.counter ?? counter;
    byId("title").textContent = mine ? `${say("counter")} ${counter}: ${mine.title}` : say("pick");
    if (mine?.waiting && noticed === "empty") notice("");
    tell(mine);
    if (!all.length) return [make("p", say("no_counter"))];
    if (!mine) {
      return all.map((one) => act("", () => choose(one.counter),
        [make("strong", `${say("counter")} ${one.counter}`), make("span", `${one.title}: ${one.waiting} ${say("waiting")}`)]));
    }
    const next = act("", () => call("/api/calls"), [make("strong", say("call")), make("span", `${mine.waiting} ${say("waiting")}`)]);
    next.className = "next";
    const again = mine.last ? [act(say("recall"), () => call("/api/recalls"))] : [];
    return [next, ...again, ...(all.length > 1 ? [act(say("change"), () => choose(0))] : [])];
  },
};

// What is read aloud changes only when a number does.
function tell(mine) {
  const box = byId("called");
  box.hidden = !mine;
  const { ticket, again } = mine?.last ?? {};
  const words = ticket ? `${say("called")}${again ? ` (${say("recalled")}: ${again})` : ""}` : say("not_called");
  if (mine && box.textContent !== words + (ticket ?? "")) box.replaceChildren(words, ...(ticket ? [make("b", ticket)] : []));
}

function show() {
  if (!board) return;
  document.documentElement.lang = lang;
  byId("mall").textContent = board.mall;
  byId("language").textContent = lang === "id" ? "English" : "Bahasa Indonesia";
  notice(noticed);
  const before = document.querySelector("main .next");
  replace(byId("main"), pages[page]());
  // One that is disabled would lose the keyboard's focus.
  for (const button of document.querySelectorAll("main button")) button.setAttribute("aria-disabled", busy);
  if (!before) document.querySelector("main .next")?.focus(); // one key is enough from the beginning
}

let drawn = "";
async function look() {
  try {
    const answer = await fetch(page === "loket" ? "/api/counters" : "/api/board", { cache: "no-store", signal: AbortSignal.timeout(4000) });
    if (!answer.ok) throw new Error(answer.status);
    const words = await answer.text();
    board = JSON.parse(words);
    if (noticed === "away") notice("");
    const now = words + lang + JSON.stringify(held);
    if (now !== drawn) show();
    drawn = now;
  } catch (error) {
    console.warn("the queue does not answer", error);
    notice("away");
  }
}

byId("language").addEventListener("click", () => { lang = lang === "id" ? "en" : "id"; show(); });
// A key that is held down is pressed once.
document.addEventListener("keydown", (event) => { if (event.repeat && event.target.closest("button")) event.preventDefault(); });
look();
setInterval(look, 1000);
