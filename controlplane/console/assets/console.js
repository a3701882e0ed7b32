// What the console's pages do beyond HTML. Without it they all work, and are as of when they were asked for.
"use strict";

// tell says what went wrong before an element: a text, or the nodes that say it. There is one such notice on a page.
function tell(place, ...nodes) {
  document.getElementById("told")?.remove();
  document.getElementById("done")?.remove(); // it is of what was done before
  const notice = document.createElement("div");
  notice.id = "told";
  notice.className = "notice bad block";
  notice.setAttribute("role", "alert");
  notice.tabIndex = -1;
  notice.append(...nodes);
  place.before(notice);
}

// failure is what an error page says, for tell.
function failure(page) {
  const section = page.querySelector("main > section[role=alert]");
  if (!section) return [];
  const heading = document.createElement("strong");
  heading.textContent = section.querySelector("h1").textContent;
  const title = document.createElement("p");
  title.append(heading);
  return [title, ...section.querySelectorAll("p:not(.actions, .muted)")];
}

// content is where the page's own part begins, below the notices.
function content() { return document.getElementById("notices").nextElementSibling; }

// Live: each element with data-live is replaced by what the same page has now, when the served state changes. The server renders; nothing
// is made here of what an event says. A part that somebody is in, or typed something into, is left as it is until then; the sign says so.
(function () {
  const sign = document.getElementById("live");
  const told = document.querySelector("[data-live]:not(#notices, #ahead, #as-of, #done)"); // else the page itself does not change, and is not called live
  if (!document.querySelector("[data-live]") || !window.EventSource) return;
  const least = 1000; // ms between two refreshes
  const shown = new Map(); // what the server gave of each: a detail that is open is no difference
  for (const element of document.querySelectorAll("[data-live]")) shown.set(element, element.innerHTML);
  let events = null, timer = 0, last = 0, waiting = false;

  function say(text, off) {
    sign.textContent = text;
    sign.classList.toggle("off", off);
    sign.hidden = !told;
  }
  function busy(element) { // somebody is in it
    if (element.contains(document.activeElement) && document.activeElement !== document.body) return true;
    return Array.from(element.querySelectorAll("input, textarea")).some((field) => field.value !== field.defaultValue);
  }
  async function refresh() {
    timer = 0;
    last = Date.now();
    let text, gone;
    try {
      const answer = await fetch(location.href.split("#")[0], { headers: { Accept: "text/html" }, redirect: "error" });
      if (!answer.ok && answer.status !== 404) throw new Error(answer.status);
      gone = answer.status === 404;
      text = await answer.text();
    } catch {
      say("Not live", true);
      return;
    }
    const fresh = new DOMParser().parseFromString(text, "text/html");
    if (gone) { // what the page is of; what was typed stays
      const why = failure(fresh);
      if (why.length > 0) tell(content(), ...why);
      const becomes = document.getElementById("becomes"); // is not so any more
      if (becomes) becomes.hidden = true;
      say("Not live", true);
      return;
    }
    waiting = false;
    for (const element of document.querySelectorAll("[data-live]")) {
      const now = fresh.getElementById(element.id);
      const html = now && now.innerHTML;
      if (!now || shown.get(element) === html) continue;
      if (busy(element)) {
        waiting = true;
        continue;
      }
      shown.set(element, html);
      const open = new Map(Array.from(element.querySelectorAll("details"), (d, i) => [d.id || i, d.open]));
      element.replaceChildren(...now.childNodes);
      element.querySelectorAll("details").forEach((d, i) => { if (open.has(d.id || i)) d.open = open.get(d.id || i); });
    }
    say(waiting ? "Not live while in use" : "Live", waiting);
  }
  function soon() {
    if (!timer) timer = setTimeout(refresh, Math.max(0, least - (Date.now() - last)));
  }
  function start() {
    if (events || document.hidden) return;
    events = new EventSource("/api/v1/events");
    events.addEventListener("open", () => say("Live", false));
    events.addEventListener("status", soon);
    events.addEventListener("error", () => say("Not live", true)); // the browser tries again by itself
  }
  function stop() { // a page that nobody sees needs no connection
    if (events) events.close();
    events = null;
  }
  document.addEventListener("visibilitychange", () => (document.hidden ? stop() : start()));
  document.addEventListener("focusout", () => { if (waiting) soon(); });
  window.addEventListener("pagehide", stop);
  window.addEventListener("pageshow", start);
  start();
})();

// Forms that say what is wrong as one types. The rules are the attributes of the fields, which a browser checks without this too; the
// API has the last word.
(function () {
  function message(field) {
    const state = field.validity;
    if (state.valid) return "";
    if (state.valueMissing) return "This is needed.";
    if (state.patternMismatch) return field.title || field.validationMessage;
    if (state.rangeUnderflow || state.rangeOverflow) return "From " + field.min + " to " + field.max + ".";
    if (state.badInput || state.stepMismatch) return "A whole number.";
    return field.validationMessage;
  }
  function show(field) {
    const place = document.getElementById("e-" + field.name);
    if (!place) return;
    const text = message(field);
    const row = field.closest(".field");
    if (row) row.classList.toggle("wrong", text !== "");
    if (text) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
    place.replaceChildren();
    if (text) place.appendChild(document.createElement("p")).textContent = text;
  }
  function together(form) { // rules over two fields
    const from = form.elements.start_at, until = form.elements.end_at, zone = form.elements.time_zone;
    if (!from || !until) return;
    const read = !from.validity.patternMismatch && !until.validity.patternMismatch;
    const ends = Date.parse(until.value), begins = Date.parse(from.value);
    until.setCustomValidity(read && ends <= begins ? "The flight must end after it begins." : "");
    const name = zone.value.trim();
    const known = !name || Array.from(zone.list.options).some((o) => o.value === name);
    zone.setCustomValidity(known ? "" : "No time zone has this name. Choose one such as Europe/Berlin.");
  }
  const touched = new WeakSet(); // the fields that somebody has been in
  function checked(event) { // the form of an event whose fields are checked
    const form = event.target.closest && event.target.closest("form[data-check]");
    if (form) form.noValidate = true;
    return form;
  }
  for (const form of document.querySelectorAll("form[data-check]")) form.noValidate = true;
  document.addEventListener("focusout", (event) => {
    const form = checked(event);
    if (!form) return;
    if (event.target.name && event.target.value !== "") touched.add(event.target);
    together(form);
    // A message that moves a button away from under the mouse would undo the click; sending shows them all anyhow.
    if (event.relatedTarget && event.relatedTarget.type === "submit") return;
    if (touched.has(event.target)) show(event.target);
  });
  document.addEventListener("input", (event) => {
    const form = checked(event);
    if (!form) return;
    together(form);
    // While somebody begins to type nothing is wrong yet, unless it was said to be.
    if (touched.has(event.target) || event.target.getAttribute("aria-invalid") || event.target.validity.valid) show(event.target);
    if (event.target.name === "start_at" && form.elements.end_at.value) show(form.elements.end_at);
  });
  document.addEventListener("submit", (event) => {
    const form = checked(event);
    if (!form) return;
    together(form);
    let first = null;
    for (const field of form.elements) {
      if (!field.name || !field.willValidate) continue;
      touched.add(field);
      show(field);
      if (!field.validity.valid && !first) first = field;
    }
    if (!first) return;
    event.preventDefault();
    document.getElementById("done")?.remove(); // it is of what was done before
    first.focus();
  });
})();

// Forms that change something are sent from here, so that what was typed stays, whatever becomes of it: somebody may be signed out by
// now, or the control plane be away. The server makes the page.
(function () {
  function sentFromHere(form) {
    return form.method === "post" && !form.matches("[data-import], [data-signin], [action='/sign-out']");
  }
  function place(form) { // where it is said what went wrong
    return (form.matches("[data-check]") && form.querySelector(".actions")) || content();
  }
  function signInLink() {
    const link = document.createElement("a");
    link.href = "/sign-in";
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    link.textContent = "Sign in in another tab";
    return link;
  }
  function show(form, text) { // the page that the server made
    const fresh = new DOMParser().parseFromString(text, "text/html");
    const main = document.getElementById("main");
    if (!form.matches("[data-check]") || !fresh.querySelector("main form[data-check]")) {
      tell(place(form), ...failure(fresh));
      return;
    }
    main.replaceChildren(...fresh.getElementById("main").childNodes);
    main.querySelectorAll("form[data-check]").forEach((f) => { f.noValidate = true; });
    const first = main.querySelector("[role=alert], .wrong");
    if (!first) return;
    if (!first.matches(".wrong")) first.tabIndex = -1;
    (first.matches(".wrong") ? first.querySelector("input, textarea") : first).focus();
  }
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (event.defaultPrevented || !sentFromHere(form)) return;
    event.preventDefault();
    const pressed = event.submitter ? event.submitter.textContent.trim() : "the button";
    const body = new URLSearchParams(new FormData(form));
    const buttons = Array.from(form.elements).filter((e) => e.type === "submit" && !e.disabled);
    buttons.forEach((b) => { b.disabled = true; });
    let answer = null, said = null;
    try {
      answer = await fetch(form.getAttribute("action"), { method: "POST", body, headers: { Accept: "application/json" }, redirect: "error" });
      said = await answer.json();
    } catch { /* neither of them, or a part, is there */ }
    buttons.forEach((b) => { b.disabled = false; });
    if (said && said.redirect) {
      location.assign(said.redirect);
      return;
    }
    const still = "What you typed is still here: press “" + pressed + "” again";
    if (answer && answer.status === 401) {
      tell(place(form), "You are signed out, and nothing was done. ", signInLink(), ", then come back. " + still + ".");
    } else if (said && said.page) show(form, said.page);
    else if (said && said.message) tell(place(form), said.message);
    else tell(place(form), (answer ? "The control plane broke off." : "The control plane cannot be reached.") + " " + still + " when it is back. If it was done all the same, the history shows it.");
    const told = document.getElementById("told");
    if (told) told.focus();
  });
  window.addEventListener("pageshow", () => document.querySelectorAll("form:not([data-import]) button:disabled").forEach((b) => { b.disabled = false; }));
})();

// Signing in: the name stays after a wrong password. It is kept nowhere else, as it may be a password in the wrong field.
(function () {
  for (const form of document.querySelectorAll("form[data-signin]")) form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const secret = form.querySelector("[type=password]");
    let answer = null, failed = null;
    try {
      answer = await fetch(form.getAttribute("action"), { method: "POST", body: new URLSearchParams(new FormData(form)) });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      failed = fresh.querySelector("form[data-signin]") && fresh.querySelector("[role=alert]");
    } catch { /* it cannot be reached */ }
    if (answer && answer.ok && !failed) {
      location.assign(answer.url);
      return;
    }
    document.querySelector("[role=alert]")?.remove();
    tell(document.querySelector("form[data-signin]"), failed ? failed.textContent : "The control plane cannot be reached. Try again in a moment.");
    if (failed) secret.value = "";
    secret.focus();
  });
})();

// Imports: the form is sent from here, so that it stays, with its file, and how far the import is can be shown. The server makes the page.
(function () {
  const form = document.querySelector("form[data-import]");
  if (!form) return;
  const box = document.getElementById("import-progress");
  const bar = document.getElementById("import-bar");
  const phase = document.getElementById("import-phase");
  const outcome = document.getElementById("outcome");
  const words = { send: "Sending", receive: "Reading", check: "Checking the campaigns", store: "Saving" };

  function show(name, done, total) {
    if (total > 0) {
      bar.max = total;
      bar.value = Math.min(done, total);
    } else bar.removeAttribute("value");
    const percent = total > 0 ? " (" + Math.floor((100 * Math.min(done, total)) / total) + "\u00a0%)" : "";
    phase.textContent = (words[name] || name) + percent;
  }
  function say(text) {
    const notice = document.createElement("p");
    notice.className = "notice bad block";
    notice.setAttribute("role", "alert");
    notice.textContent = text;
    outcome.replaceChildren(notice);
  }
  function replace(page) { // by what the server made
    const fresh = new DOMParser().parseFromString(page, "text/html");
    const now = fresh.getElementById("outcome") || fresh.getElementById("main");
    if (now) outcome.replaceChildren(...now.childNodes);
    const notices = fresh.getElementById("notices");
    if (notices) document.getElementById("notices").replaceChildren(...notices.childNodes);
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const address = (event.submitter && event.submitter.getAttribute("formaction")) || form.getAttribute("action");
    const buttons = Array.from(form.elements).filter((e) => e.type === "submit"); // that of the outcome is among them
    const request = new XMLHttpRequest(); // fetch cannot say how much is sent
    let read = 0, last = null;
    function end() {
      buttons.forEach((b) => { b.disabled = false; });
      box.hidden = true;
      outcome.focus();
      outcome.scrollIntoView({ block: "nearest" });
    }
    function lines() { // those that are whole; the last is the page
      const until = request.responseText.lastIndexOf("\n") + 1;
      for (const line of request.responseText.slice(read, until).split("\n")) {
        if (!line) continue;
        const e = JSON.parse(line);
        if (e.progress) show(e.progress.phase, e.progress.done, e.progress.total);
        else last = e;
      }
      read = Math.max(read, until);
    }
    function isLines() { return request.status === 200 && (request.getResponseHeader("Content-Type") || "").startsWith("application/x-ndjson"); }
    request.upload.addEventListener("progress", (e) => show("send", e.loaded, e.lengthComputable ? e.total : 0));
    request.upload.addEventListener("load", () => show("receive", 0, 0));
    request.addEventListener("progress", () => { if (isLines()) lines(); });
    request.addEventListener("error", () => {
      say("The connection broke. If you imported: the history shows whether it was made.");
      end();
    });
    request.addEventListener("load", () => {
      if (isLines()) {
        lines();
        if (last && last.redirect) { location.assign(last.redirect); return; }
        if (last && last.page) replace(last.page);
        else say("The control plane broke off. If you imported: the history shows whether it was made.");
      } else if (request.status === 401) say("You are signed out. Sign in in another tab, and try again.");
      else replace(request.responseText);
      end();
    });
    // As a form it has the fields in their order, the document last.
    const data = new FormData(form);
    buttons.forEach((b) => { b.disabled = true; });
    outcome.replaceChildren();
    show("send", 0, 0);
    box.hidden = false;
    request.open("POST", address);
    request.setRequestHeader("Accept", "application/x-ndjson");
    request.send(data);
  });
  window.addEventListener("pageshow", () => form.querySelectorAll("button").forEach((b) => { b.disabled = false; }));
})();
