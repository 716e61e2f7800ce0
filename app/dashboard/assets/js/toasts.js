// Toasts: short confirmations in a polite live region. The server sends them in the page or as
// the event "toast" (HX-Trigger).
const SHOWN_MS = 6000;

export function toast(text) {
  const region = document.getElementById("toasts");
  const item = region.querySelector("template").content.firstElementChild.cloneNode(true);
  item.querySelector("[data-text]").textContent = text;
  region.append(item);
  leave(item);
}

function leave(item) {
  let timer = setTimeout(() => item.remove(), SHOWN_MS);
  item.addEventListener("pointerenter", () => clearTimeout(timer));
  item.addEventListener("pointerleave", () => (timer = setTimeout(() => item.remove(), SHOWN_MS)));
  item.querySelector("button").addEventListener("click", () => item.remove());
}

for (const item of document.querySelectorAll("#toasts > .toast-item")) leave(item);
document.addEventListener("toast", (event) => toast(event.detail.text ?? event.detail.value));
