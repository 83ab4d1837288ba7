"use strict";
// Draws what /state.json tells; a screen that nobody touches goes to its page as soon as that answers.
const byId = (id) => document.getElementById(id);
const root = document.documentElement;
const PATIENCE = 15000; // until a page that does not come is given up
let lang = "id";
let last = null;
let drawn = "";
// What the page of the mall's server is called, and what is said while it does not answer.
const words = {
  antrean: ["page", "page_away"],
  papan: ["page", "page_away"],
  survei: ["survey", "survey_away"],
  loket: ["call", "call_away"],
};
let timer = 0;
let going = ""; // where it is on its way to: until that page comes, this one stays
let silent = ""; // what did not come, until it is offered again

function tile(title, note, url) {
  const box = document.createElement(url ? "a" : "div");
  if (url) {
    box.href = url;
    box.addEventListener("click", (event) => { event.preventDefault(); go(url); });
  }
  const head = document.createElement("strong");
  head.textContent = title;
  const text = document.createElement("span");
  text.textContent = note;
  box.append(head, text);
  return box;
}

// Opens a page; a browser alone would wait for one that never comes, and show nothing.
function go(url, instead = false) {
  if (going === url) return;
  clearTimeout(timer);
  [going, silent] = [url, ""];
  show();
  if (instead) location.replace(url);
  else location.assign(url);
  timer = setTimeout(() => {
    window.stop();
    [going, silent] = ["", url];
    show();
    timer = setTimeout(() => { silent = ""; show(); }, PATIENCE);
  }, PATIENCE);
}

// Puts parts in place of those before; what had the keyboard's focus keeps it.
function replace(box, parts) {
  const all = () => [...box.querySelectorAll("a, button")];
  const at = all().indexOf(document.activeElement);
  box.replaceChildren(...parts);
  if (at >= 0) all()[at]?.focus();
}

function draw(state) {
  const say = (key) => state.texts["screen_" + key][lang];
  const found = (part) => (part.url === silent && part.state === "works" ? "silent" : part.url === going ? "asking" : part.state);
  const works = (part) => found(part) === "works";
  root.lang = lang;
  byId("mall").textContent = state.mall;
  byId("title").textContent = state.title[lang];
  byId("language").textContent = say("language");
  byId("larger").textContent = say("larger");
  byId("contrast").textContent = say("contrast");
  document.querySelector("nav").hidden = !state.touch;
  const away = state.places.filter((p) => p.state === "away");
  byId("notice").hidden = away.length === 0 || away.length < state.places.length;
  byId("notice").textContent = say("dark");
  const tiles = [];
  if (state.opens) {
    byId("notice").hidden = true;
    const form = { weekday: "long", day: "numeric", month: "long", hour: "2-digit", minute: "2-digit" };
    const when = new Date(state.opens).toLocaleString(lang, form);
    const box = tile(say("closed"), say("opens").replace("{when}", when));
    box.className = "first";
    replace(byId("places"), [box]);
    return;
  }
  if (state.page.url) {
    const gone = !["works", "asking"].includes(found(state.page));
    const [title, away] = words[state.page.url.split("/")[3]];
    const note = gone ? say(away) : say(found(state.page));
    const box = tile(say(title), note, works(state.page) && state.page.url);
    box.className = "first";
    tiles.push(box);
  }
  for (const place of state.places) {
    const note = place.state === "away" ? say(place.when_dark) : say(found(place));
    tiles.push(tile(place.title[lang], note, works(place) && place.url));
  }
  replace(byId("places"), tiles);
}

function show() {
  if (!last) return;
  const now = lang + going + "|" + silent + JSON.stringify(last);
  if (now !== drawn) draw(last);
  drawn = now;
}

async function look() {
  try {
    last = await (await fetch("/state.json", { cache: "no-store" })).json();
    if (!last.touch && !last.opens && last.page.state === "works" && !silent) go(last.page.url, true);
    show();
  } catch (error) {
    console.warn("the shell does not answer", error);
  }
  setTimeout(look, 2000);
}

for (const name of ["larger", "contrast"]) {
  byId(name).addEventListener("click", () => byId(name).setAttribute("aria-pressed", root.classList.toggle(name)));
}
byId("language").addEventListener("click", () => { lang = lang === "id" ? "en" : "id"; show(); });
look();
