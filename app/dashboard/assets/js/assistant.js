// The assistant's facts: rows that are added and taken away. Without script empty rows are there.
function renumber(row, n) {
  for (const field of row.querySelectorAll("[name]")) {
    field.name = field.name.replace(/\d+$/, String(n));
    field.setAttribute("aria-label", field.getAttribute("aria-label").replace(/\d+/, String(n + 1)));
  }
}

function listen(facts) {
  const add = facts.parentElement.querySelector("[data-add-fact]");
  add.hidden = false;
  for (const button of facts.querySelectorAll("[data-drop-fact]")) button.hidden = false;
  add.addEventListener("click", () => {
    const rows = facts.querySelectorAll("[data-fact]");
    const row = rows[rows.length - 1].cloneNode(true);
    for (const field of row.querySelectorAll("input, textarea")) field.value = "";
    renumber(row, rows.length);
    facts.append(row);
    row.querySelector("input").focus();
  });
  facts.addEventListener("click", (event) => {
    const button = event.target.closest("[data-drop-fact]");
    if (!button) return;
    const row = button.closest("[data-fact]");
    if (facts.querySelectorAll("[data-fact]").length > 1) row.remove();
    else for (const field of row.querySelectorAll("input, textarea")) field.value = "";
    facts.querySelectorAll("[data-fact]").forEach(renumber);
    add.focus();
  });
}

for (const facts of document.querySelectorAll("[data-facts]")) listen(facts);
