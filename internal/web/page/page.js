"use strict";
// Puts the freshly rendered body in place whenever the journal says that something moved. What
// the reader has opened stays open.
(() => {
  const body = document.getElementById("body");
  const live = document.getElementById("live");
  let waiting = false, busy = false;

  async function refresh() {
    if (busy) { waiting = true; return; }
    busy = true;
    try {
      const r = await fetch("/body");
      if (!r.ok) throw new Error(r.statusText);
      const text = await r.text();
      const open = [...body.querySelectorAll("details[open]")].map((d) => d.id);
      body.innerHTML = text; // escaped by the server's template
      for (const id of open) document.getElementById(id)?.setAttribute("open", "");
      live.textContent = "· live, " + new Date().toLocaleTimeString();
    } catch (e) {
      live.textContent = "· the node does not answer (" + e.message + "), what you see is old";
    }
    busy = false;
    if (waiting) { waiting = false; later(); }
  }
  let timer = 0;
  function later() { if (!timer) timer = setTimeout(() => { timer = 0; refresh(); }, 250); }

  new EventSource("/api/v1/follow").onmessage = later;
  setInterval(later, 5000);
})();
