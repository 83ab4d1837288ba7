"use strict";
// Hands in once: the key stays the same until there is an answer.
const byId = (id) => document.getElementById(id);
let lang = "id";
let state = null;
let reason = "";
const say = (key) => state.texts["intake_" + key][lang];

function show() {
  if (!state) return;
  const closed = state.places.every((place) => place.closed);
  document.documentElement.lang = lang;
  byId("mall").textContent = state.mall;
  byId("title").textContent = state.places.length === 1 ? state.places[0].title[lang] : say("title");
  byId("language").textContent = lang === "id" ? "English" : "Bahasa Indonesia";
  for (const [id, key] of [["name-label", "name"], ["contact-label", "contact"], ["words-label", "words"], ["sealed", "sealed"], ["send", "send"], ["told-title", "receipt"], ["back", "back"]]) {
    byId(id).textContent = say(key);
  }
  byId("service-label").hidden = state.places.length === 1;
  const chosen = byId("service").value;
  byId("service").replaceChildren(...state.places.filter((place) => !place.closed).map((place) => new Option(place.title[lang], place.service, false, place.service === chosen)));
  byId("send").disabled = closed;
  const shown = closed ? state.places[0]?.closed.replace("intake_", "") ?? "no_key" : reason;
  byId("notice").hidden = !shown;
  byId("notice").textContent = shown ? say(shown) : "";
}

async function look() {
  try {
    state = await (await fetch("/api/intake", { cache: "no-store", signal: AbortSignal.timeout(4000) })).json();
    show();
  } catch (error) {
    console.warn("the intake does not answer", error);
    setTimeout(look, 2000);
  }
}

byId("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  byId("send").disabled = true;
  const words = { name: byId("name").value, contact: byId("contact").value, words: byId("words").value };
  const body = JSON.stringify({ service: byId("service").value, key: crypto.randomUUID(), words });
  for (;;) {
    try {
      const answer = await fetch("/api/intake", { method: "POST", body, signal: AbortSignal.timeout(25000) });
      const told = await answer.json();
      reason = answer.ok ? "" : told.reason.replace("intake_", "");
      if (answer.ok) {
        byId("form").reset();
        byId("receipt").textContent = told.receipt;
        byId("form").hidden = true;
        byId("told").hidden = false;
      }
      break;
    } catch (error) {
      console.warn("no answer", error);
      reason = "again";
      show();
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
  show();
});
byId("back").addEventListener("click", () => { byId("told").hidden = true; byId("form").hidden = false; });
byId("language").addEventListener("click", () => { lang = lang === "id" ? "en" : "id"; show(); });
look();
