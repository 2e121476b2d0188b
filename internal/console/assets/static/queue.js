// Moves through the queue by keyboard: j and k move, Enter opens. Without it, Tab moves along the links.
(function () {
  "use strict";
  function rows() { return Array.from(document.querySelectorAll("#queue tbody tr[data-row]")); }
  function current() { return rows().findIndex(function (r) { return r.getAttribute("aria-selected") === "true"; }); }
  function select(i, focus) {
    var all = rows();
    if (!all.length) { return; }
    i = Math.max(0, Math.min(all.length - 1, i));
    all.forEach(function (r, k) {
      r.setAttribute("aria-selected", k === i ? "true" : "false");
      r.tabIndex = k === i ? 0 : -1;
    });
    if (focus) { all[i].focus({ preventScroll: true }); all[i].scrollIntoView({ block: "nearest" }); }
    try { sessionStorage.setItem("queue-row", all[i].id); } catch (e) { /* private mode keeps nothing */ }
  }
  function restore() {
    var id = null;
    try { id = sessionStorage.getItem("queue-row"); } catch (e) { /* private mode keeps nothing */ }
    var i = rows().findIndex(function (r) { return r.id === id; });
    select(i < 0 ? 0 : i, false);
  }
  document.addEventListener("keydown", function (e) {
    if (e.altKey || e.ctrlKey || e.metaKey || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName)) { return; }
    if (e.key === "j") { select(current() + 1, true); e.preventDefault(); }
    else if (e.key === "k") { select(current() - 1, true); e.preventDefault(); }
    else if (e.key === "Enter" && e.target.matches("tr[data-row]")) { e.target.querySelector("a").click(); }
    else if (e.key === "/") { var q = document.getElementById("q"); if (q) { q.focus(); e.preventDefault(); } }
  });
  document.addEventListener("click", function (e) {
    var row = e.target.closest("#queue tr[data-row]");
    if (row) { select(rows().indexOf(row), false); }
  });
  document.addEventListener("gridwarden:refreshed", restore);
  restore();
})();
