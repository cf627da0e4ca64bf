"use strict";
// Puts the freshly rendered body in place whenever the journal says that something moved. What
// the reader has opened stays open, what has the focus keeps it, and a text that is being
// selected stays until it is let go.
(() => {
  const body = document.getElementById("body");
  const live = document.getElementById("live");
  let waiting = false, busy = false;

  async function refresh() {
    if (busy) { waiting = true; return; }
    if (!getSelection().isCollapsed) { later(); return; }
    busy = true;
    try {
      const r = await fetch("/body");
      if (!r.ok) throw new Error(r.statusText);
      const text = await r.text();
      const open = [...body.querySelectorAll("details[open]")].map((d) => d.id);
      const focus = body.contains(document.activeElement) && document.activeElement.closest("details")?.id;
      body.innerHTML = text; // escaped by the server's template
      for (const id of open) document.getElementById(id)?.setAttribute("open", "");
      if (focus) document.getElementById(focus)?.querySelector("summary").focus({ preventScroll: true });
      live.textContent = "· live, " + new Date().toLocaleTimeString();
    } catch (e) {
      live.textContent = "· the node does not answer (" + e.message + "), what you see is old";
    }
    busy = false;
    if (waiting) { waiting = false; later(); }
  }
  let timer = 0;
  function later() { if (!timer) timer = setTimeout(() => { timer = 0; refresh(); }, 300); }

  new EventSource("/api/v1/follow").onmessage = later;
  setInterval(later, 5000);
})();
