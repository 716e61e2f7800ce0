// The editor of opening hours: only the times in use are shown, "Add" shows one more. Without
// this script all fields stand there, and empty ones mean nothing.
const page = document.querySelector("[data-hours]");

const spansOf = (row) => [...row.querySelectorAll("[data-span]")];
const fieldsOf = (span) => [...span.querySelectorAll("input")];
const isEmpty = (span) => fieldsOf(span).every((field) => !field.value);

function tidy(row) {
  const spans = spansOf(row);
  for (const span of spans) {
    span.hidden = isEmpty(span) && !span.dataset.added;
    span.querySelector("[data-clear-span]").hidden = false;
  }
  row.querySelector("[data-closed]").hidden = spans.some((span) => !span.hidden);
  row.querySelector("[data-add-span]").hidden = spans.every((span) => !span.hidden);
  const drop = row.querySelector("[data-drop-special]");
  if (drop) drop.hidden = false;
}

function add(row) {
  const span = spansOf(row).find((each) => each.hidden);
  if (!span) return;
  span.dataset.added = "yes";
  const [opens, closes] = fieldsOf(span);
  const first = spansOf(row).every((each) => each === span || each.hidden);
  [opens.value, closes.value] = first ? ["09:00", "17:00"] : ["", ""];
  tidy(row);
  opens.focus();
}

function clear(span) {
  for (const field of fieldsOf(span)) field.value = "";
  delete span.dataset.added;
  const row = span.closest(".hours-row");
  tidy(row);
  row.querySelector("[data-add-span]").focus();
}

function copyMonday() {
  const monday = spansOf(page.querySelector('[data-day="0"]'));
  for (const day of [1, 2, 3, 4]) {
    const row = page.querySelector(`[data-day="${day}"]`);
    spansOf(row).forEach((span, n) => {
      delete span.dataset.added;
      fieldsOf(span).forEach((field, which) => {
        field.value = fieldsOf(monday[n])[which].value;
      });
    });
    tidy(row);
  }
}

// A special day that was filled in makes room for the next one.
function makeRoom() {
  const rows = [...page.querySelectorAll("[data-special]")];
  const last = rows.at(-1);
  if (!last.querySelector("[type=date]").value) return;
  const next = last.cloneNode(true);
  for (const field of next.querySelectorAll("input")) {
    field.value = "";
    field.name = field.name.replace(/^(special-\w+-)(\d+)/, (_, head, n) => `${head}${Number(n) + 1}`);
  }
  for (const span of spansOf(next)) delete span.dataset.added;
  last.after(next);
  tidy(next);
}

if (page) {
  page.querySelectorAll(".hours-row").forEach(tidy);
  page.querySelector("[data-copy-day]").hidden = false;
  page.addEventListener("click", (event) => {
    const adder = event.target.closest("[data-add-span]");
    if (adder) add(adder.closest(".hours-row"));
    const clearer = event.target.closest("[data-clear-span]");
    if (clearer) clear(clearer.closest("[data-span]"));
    const drop = event.target.closest("[data-drop-special]");
    if (drop) {
      const row = drop.closest("[data-special]");
      for (const field of row.querySelectorAll("input")) field.value = "";
      if (row.matches(":last-child")) tidy(row);
      else row.remove();
    }
    if (event.target.closest("[data-copy-day]")) copyMonday();
  });
  page.addEventListener("change", (event) => {
    if (event.target.matches("[data-special] [type=date]")) makeRoom();
  });
  page.addEventListener("input", (event) => {
    if (!event.target.matches("[data-slider]")) return;
    const shown = event.target.parentElement.querySelector("output");
    shown.textContent = shown.dataset.unit.replace("#", event.target.value);
  });
}
