// What the console's pages do beyond HTML. Without it they all work, and are as of when they were asked for.
"use strict";

// Live: each element with data-live is replaced by what the same page has now, when the served state changes. The server renders; nothing
// is made here of what an event says. A part that somebody is in, or typed something into, is left as it is until then; the sign says so.
(function () {
  const sign = document.getElementById("live");
  const told = document.querySelector("[data-live]:not(#notices, #ahead, #as-of)"); // else the page itself does not change, and is not called live
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
    let text;
    try {
      const answer = await fetch(location.href.split("#")[0], { headers: { Accept: "text/html" }, redirect: "error" });
      if (!answer.ok) throw new Error(answer.status);
      text = await answer.text();
    } catch {
      say("Not live", true);
      return;
    }
    const fresh = new DOMParser().parseFromString(text, "text/html");
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
  for (const form of document.querySelectorAll("form[data-check]")) {
    form.noValidate = true;
    const touched = new Set();
    form.addEventListener("focusout", (event) => {
      if (event.target.name && event.target.value !== "") touched.add(event.target.name);
      together(form);
      // A message that moves a button away from under the mouse would undo the click; sending shows them all anyhow.
      if (event.relatedTarget && event.relatedTarget.type === "submit") return;
      if (touched.has(event.target.name)) show(event.target);
    });
    form.addEventListener("input", (event) => {
      together(form);
      // While somebody begins to type nothing is wrong yet, unless it was said to be.
      if (touched.has(event.target.name) || event.target.getAttribute("aria-invalid") || event.target.validity.valid) show(event.target);
      if (event.target.name === "start_at" && form.elements.end_at.value) show(form.elements.end_at);
    });
    form.addEventListener("submit", (event) => {
      together(form);
      let first = null;
      for (const field of form.elements) {
        if (!field.name || !field.willValidate) continue;
        touched.add(field.name);
        show(field);
        if (!field.validity.valid && !first) first = field;
      }
      if (!first) return;
      event.preventDefault();
      document.getElementById("done")?.remove(); // it is of what was done before
      first.focus();
    });
  }
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
