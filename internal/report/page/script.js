// Sorts and searches the table of all entries. The page is complete without it.
(function () {
  "use strict";

  var table = document.getElementById("entries");
  var input = document.getElementById("q");
  var state = document.getElementById("state");
  var form = document.getElementById("tools");
  if (!table || table.tBodies.length === 0) return;

  var bodies = Array.from(table.tBodies);
  var size = bodies[0].rows.length; // how many lines a body holds
  var rows = null; // all lines, oldest first
  var texts = null; // what is searched, line by line
  var order = null; // the indexes of all lines, as they are sorted
  var sorted = { column: 0, down: false };
  var names = Array.from(table.tHead.rows[0].cells).map(function (th) { return th.textContent; });
  var count = new Intl.NumberFormat("en");

  function load() {
    if (rows) return;
    rows = [];
    bodies.forEach(function (body) { rows.push.apply(rows, Array.from(body.rows)); });
    order = rows.map(function (_, i) { return i; });
  }

  // show puts the lines at the indexes into the bodies, and takes out all others.
  function show(indexes) {
    bodies.forEach(function (body, i) {
      var part = indexes.slice(i * size, (i + 1) * size);
      body.replaceChildren.apply(body, part.map(function (at) { return rows[at]; }));
      body.hidden = part.length === 0;
      body.classList.toggle("last", part.length < size);
    });
  }

  function matching() {
    var words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length === 0) return order;
    if (!texts) texts = rows.map(function (row) { return row.textContent.toLowerCase(); });
    return order.filter(function (at) {
      return words.every(function (word) { return texts[at].includes(word); });
    });
  }

  function update() {
    load();
    var found = matching();
    show(found);
    var text = found.length === rows.length
      ? "All " + count.format(rows.length) + " entries are shown"
      : count.format(found.length) + " of " + count.format(rows.length) + " entries are shown";
    state.textContent = text + ", sorted by " + names[sorted.column].toLowerCase() +
      (sorted.down ? ", descending." : ", ascending.");
  }

  function sort(column) {
    load();
    sorted = { column: column, down: sorted.column === column && !sorted.down };
    order = rows.map(function (_, i) { return i; });
    if (column > 0) { // The lines are in the order of their times.
      var keys = rows.map(function (row) { return row.cells[column].textContent; });
      var compare = new Intl.Collator("en", { numeric: true }).compare;
      order.sort(function (a, b) { return compare(keys[a], keys[b]) || a - b; });
    }
    if (sorted.down) order.reverse();
    Array.from(table.tHead.rows[0].cells).forEach(function (th, i) {
      if (i === column) th.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
    });
    update();
  }

  Array.from(table.tHead.rows[0].cells).forEach(function (th, column) {
    var button = document.createElement("button");
    button.type = "button";
    button.textContent = th.textContent;
    button.addEventListener("click", function () { sort(column); });
    th.replaceChildren(button);
  });
  table.tHead.rows[0].cells[0].setAttribute("aria-sort", "ascending");

  var waiting = 0;
  input.addEventListener("input", function () {
    clearTimeout(waiting);
    waiting = setTimeout(update, 150);
  });
  form.addEventListener("submit", function (event) { event.preventDefault(); update(); });
  form.hidden = false;
})();
