"use strict";
// The satisfaction survey: about whom, one question after another, and thanks. Nothing is sent before the last answer.
const byId = (id) => document.getElementById(id);
const root = document.documentElement;
let lang = "id";
let state = null;
let about = null; // an office's name, or "" for the mall as a whole
let given = {}; // steps by element, in the order of the questions
let sent = false;
let busy = false;
const say = (key) => state.texts["satisfaction_" + key][lang];
const at = () => Object.keys(given).length;

function notice(key) {
  byId("notice").hidden = !key;
  byId("notice").textContent = key && state ? say(key) : "";
}

function choice(words, act) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = words;
  button.disabled = busy;
  button.addEventListener("click", act);
  return button;
}

function begin() {
  [about, given, sent] = [null, {}, false];
  notice("");
  step();
}

function back() {
  const before = Object.keys(given).pop();
  if (before) delete given[before];
  else about = null;
  step();
}

// What is asked now, and what can be chosen.
function parts() {
  if (sent) return [say("thanks"), [choice(say("again"), begin)]];
  if (about === null) {
    const offices = [{ name: "", title: say("whole") }, ...state.offices];
    return [say("about"), offices.map((office) => choice(office.title, () => { about = office.name; step(); }))];
  }
  const element = state.elements[at()];
  if (!element) return [say("sending"), []];
  const answers = element.answers[lang].map((words, n) => choice(words, () => answer(element.name, n + 1)));
  return [`${at() + 1}/${state.elements.length}. ${element.question[lang]}`, [...answers, choice(say("back"), back)]];
}

function show() {
  if (!state) return;
  root.lang = lang;
  byId("mall").textContent = state.mall;
  byId("title").textContent = say("title");
  for (const name of ["larger", "contrast", "language"]) byId(name).textContent = say(name);
  const [asked, choices] = parts();
  byId("asked").textContent = asked;
  byId("main").replaceChildren(...choices);
}

// A step begins at its question: it is read aloud, and the next Tab is the first answer.
function step() {
  show();
  byId("asked").focus();
}

function answer(element, value) {
  given[element] = value;
  step();
  if (at() === state.elements.length) send();
}

// The key stays the same until there is an answer: a lost receipt never counts twice.
async function send() {
  const body = JSON.stringify({ key: crypto.randomUUID(), office: about, answers: given });
  busy = true;
  for (;;) {
    try {
      const told = await fetch("/api/satisfaction", { method: "POST", body, signal: AbortSignal.timeout(5000) });
      busy = false;
      if (told.ok) {
        sent = true;
        notice("");
        setTimeout(() => { if (sent) begin(); }, 15000);
      } else {
        begin();
        notice(told.status < 500 ? "wrong" : "full");
      }
      return step();
    } catch (error) {
      console.warn("no answer", error);
      notice("repeat");
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}

async function look() {
  try {
    const answer = await fetch("/api/satisfaction", { cache: "no-store", signal: AbortSignal.timeout(4000) });
    if (!answer.ok) throw new Error(answer.status);
    state = await answer.json();
    show();
  } catch (error) {
    console.warn("the survey does not answer", error);
    setTimeout(look, 2000);
  }
}

for (const name of ["larger", "contrast"]) {
  byId(name).addEventListener("click", () => byId(name).setAttribute("aria-pressed", root.classList.toggle(name)));
}
byId("language").addEventListener("click", () => { lang = lang === "id" ? "en" : "id"; show(); });
look();
