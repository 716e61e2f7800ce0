// Forms: shown passwords, one submission at a time, choices that submit themselves, copying.
import { toast } from "./toasts.js";

document.addEventListener("click", async (event) => {
  const reveal = event.target.closest("[data-reveal]");
  if (reveal) {
    const input = document.getElementById(reveal.dataset.reveal);
    const shown = input.type === "text";
    input.type = shown ? "password" : "text";
    reveal.setAttribute("aria-pressed", String(!shown));
    for (const icon of reveal.querySelectorAll("svg")) icon.toggleAttribute("hidden");
    return;
  }
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    const text = document.getElementById(copy.dataset.copy).textContent.trim();
    await navigator.clipboard.writeText(text);
    toast(copy.dataset.copied);
    return;
  }
  if (event.target.closest("[data-print]")) window.print();
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sending) {
    event.preventDefault();
    return;
  }
  if (form.hasAttribute("data-many")) return;
  form.dataset.sending = "true";
  const button = event.submitter;
  if (button) button.setAttribute("aria-busy", "true");
});

// A page that comes back from the browser's cache may be sent again.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sending]")) {
    delete form.dataset.sending;
    form.querySelector("[aria-busy]")?.removeAttribute("aria-busy");
  }
});

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
});

// Times are told in the zone of whoever reads them: the server hears it from here.
const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (here) document.cookie = `zone=${here}; Path=/; Max-Age=31536000; SameSite=Lax`;

// The browser knows where it is: fill the time zone of a new business.
const zone = document.querySelector("select[data-own-zone]");
if (zone) {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if ([...zone.options].some((option) => option.value === own)) zone.value = own;
}

// What is wrong is where the reader should be.
document.querySelector("[aria-invalid=true]")?.focus();
