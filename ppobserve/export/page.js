"use strict";
// Brings <main> up to date from the page itself, every few seconds, only while someone looks at it.
const EVERY = 5000, AFTER_FAILURE = 15000, PATIENCE = 10000;
const silent = document.getElementById("silent");
let timer, busy = false, answered = new Date();

function later(milliseconds) {
  clearTimeout(timer);
  timer = setTimeout(refresh, milliseconds);
}

// Parsed as a document by the browser, never as markup by us: no script in it would run.
function refresh() {
  if (document.hidden || busy) return;
  const request = new XMLHttpRequest();
  request.open("GET", location.pathname);
  request.responseType = "document";
  request.timeout = PATIENCE;
  request.onloadend = () => {
    busy = false;
    const fresh = request.status === 200 && request.response && request.response.querySelector("main");
    if (fresh) show(fresh);
    tell(!fresh);
    later(fresh ? EVERY : AFTER_FAILURE);
  };
  busy = true;
  request.send();
}

function show(fresh) {
  answered = new Date();
  if (!getSelection().isCollapsed) return; // someone is copying a number
  const old = document.querySelector("main");
  const places = [...old.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
  const focus = document.activeElement.id || document.activeElement.parentElement?.id;
  const open = [...old.querySelectorAll("details[open]")].map((each) => each.id);
  old.replaceWith(document.adoptNode(fresh));
  fresh.querySelectorAll(".scroll").forEach((each, index) => { each.scrollLeft = places[index] || 0; });
  open.forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
  if (focus && document.getElementById(focus)) focusable(document.getElementById(focus)).focus({ preventScroll: true });
}

function focusable(element) {
  return element.querySelector(":scope > summary") || element;
}

function tell(failed) {
  silent.hidden = !failed;
  if (failed) silent.textContent = `No answer since ${answered.toLocaleTimeString()}; trying again.`;
  document.querySelector("main").classList.toggle("stale", failed);
}

document.addEventListener("visibilitychange", () => later(0));
later(EVERY);
