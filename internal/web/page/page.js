"use strict";
// Puts the freshly rendered body in place whenever the journal says that something moved. What
// the reader has opened stays open, what has the focus keeps it, and a text that is being
// selected stays until it is let go. The courses of the servers come apart, every few seconds, and
// only what changed is exchanged.
(() => {
  const live = document.getElementById("live");
  let waiting = false, busy = false, tag = "";

  function parse(text) { // escaped by the server's template
    const t = document.createElement("template");
    t.innerHTML = text;
    return t.content;
  }

  async function courses() {
    if (document.hidden || !getSelection().isCollapsed) return;
    try {
      const r = await fetch("/course" + location.search, { headers: tag ? { "If-None-Match": tag } : {} });
      if (!r.ok) return; // 304: it is as it was
      const fresh = parse(await r.text());
      tag = r.headers.get("ETag") || "";
      const have = document.getElementById("course");
      for (const d of fresh.querySelectorAll("details")) {
        const old = document.getElementById(d.id);
        if (old) d.open = old.open || d.open && old.className !== d.className; // what went down opens
      }
      const now = [...have.children], next = [...fresh.children];
      const same = now.length === next.length && now.every((e, i) => e.id === next[i].id && e.tagName === next[i].tagName);
      if (!same) { have.replaceChildren(...next); return; }
      now.forEach((e, i) => {
        if (e.isEqualNode(next[i])) return;
        if (e.querySelector("svg:hover")) { tag = ""; return; } // somebody reads its values: later
        const focus = e.contains(document.activeElement);
        e.replaceWith(next[i]);
        if (focus) next[i].querySelector("summary, a")?.focus({ preventScroll: true });
      });
    } catch { /* the other one says that the node does not answer */ }
  }

  async function refresh() {
    if (busy) { waiting = true; return; }
    if (!getSelection().isCollapsed) { later(); return; }
    busy = true;
    try {
      const r = await fetch("/body");
      if (!r.ok) throw new Error(r.statusText);
      const text = await r.text();
      const fresh = parse(text);
      const top = document.getElementById("top");
      const open = [...top.querySelectorAll("details[open]")].map((d) => d.id);
      const focus = top.contains(document.activeElement) && document.activeElement.closest("details")?.id;
      for (const part of [...fresh.children]) document.getElementById(part.id).replaceWith(part);
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
  setInterval(courses, 5000);
})();
