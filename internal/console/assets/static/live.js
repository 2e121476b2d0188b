// Refreshes what changed on the open page. Without it a page shows the moment at which it was loaded.
(function () {
  "use strict";
  var wanted = (document.body.getAttribute("data-live-on") || "").split(" ");
  var note = document.getElementById("live-note");
  var busy = false, again = false, failures = 0, lastHeard = Date.now();

  function siteTime() {
    var clock = document.getElementById("clock");
    return clock ? clock.textContent : "";
  }

  function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    fetch(location.href, { credentials: "same-origin", headers: { Accept: "text/html" } })
      .then(function (answer) {
        if (answer.redirected) { location.reload(); throw new Error("logged out"); }
        if (!answer.ok) { throw new Error(answer.status); }
        return answer.text();
      })
      .then(function (html) {
        var fresh = new DOMParser().parseFromString(html, "text/html");
        document.querySelectorAll("[data-live]").forEach(function (old) {
          var now = fresh.getElementById(old.id);
          if (!now || now.outerHTML === old.outerHTML || old.contains(document.activeElement) && old.querySelector("form")) { return; }
          var focused = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") || document.activeElement.id : "";
          var left = old.querySelector(".sld,.scroll-s,.scroll,.plot");
          var scrolled = left ? left.scrollLeft : 0;
          var node = document.importNode(now, true);
          old.replaceWith(node);
          left = node.querySelector(".sld,.scroll-s,.scroll,.plot");
          if (left) { left.scrollLeft = scrolled; }
          if (focused) {
            var back = document.getElementById(focused) || Array.from(node.querySelectorAll("a")).find(function (a) { return a.getAttribute("href") === focused; });
            if (back) { back.focus({ preventScroll: true }); }
          }
        });
        tickFrom(fresh);
        document.dispatchEvent(new CustomEvent("gridwarden:refreshed"));
      })
      .catch(function () { /* the stream says when the server is gone */ })
      .finally(function () { busy = false; if (again) { again = false; refresh(); } });
  }

  // The clock shows site time: the server's, carried on by this machine's.
  var shown = 0, base = 0;
  function tickFrom(doc) {
    var clock = doc.getElementById("clock");
    if (!clock) { return; }
    var parts = clock.textContent.split(":").map(Number);
    shown = (parts[0] * 60 + parts[1]) * 60 + parts[2];
    base = Date.now();
  }
  tickFrom(document);
  setInterval(function () {
    var clock = document.getElementById("clock");
    if (!clock) { return; }
    var s = (shown + Math.floor((Date.now() - base) / 1000)) % 86400;
    var two = function (n) { return (n < 10 ? "0" : "") + n; };
    clock.textContent = two(Math.floor(s / 3600)) + ":" + two(Math.floor(s / 60) % 60) + ":" + two(s % 60);
  }, 1000);

  if (!window.EventSource) { return; }
  var stream = new EventSource("/events");
  function heard() {
    lastHeard = Date.now();
    if (failures > 0) { failures = 0; if (note) { note.hidden = true; } refresh(); }
  }
  stream.addEventListener("hello", heard);
  stream.addEventListener("still", heard);
  ["result", "case", "live", "reads"].forEach(function (kind) {
    stream.addEventListener(kind, function () { heard(); if (wanted.indexOf(kind) >= 0) { refresh(); } });
  });
  stream.onerror = function () {
    failures += 1;
    if (failures === 1 && note) {
      note.textContent = "Live updates stopped at " + siteTime() + ". Values stay as they were; trying again.";
      note.hidden = false;
    }
  };
  window.addEventListener("pagehide", function () { stream.close(); });
  window.addEventListener("pageshow", function (e) { if (e.persisted) { location.reload(); } });
})();
