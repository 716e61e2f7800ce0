// The mailbox: times in the reader's own zone, and new mail as it comes.

import { listen } from "./live.js";

const short = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const long = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

for (const time of document.querySelectorAll("time[data-ms]")) {
  const moment = new Date(Number(time.dataset.ms));
  const today = moment.toDateString() === new Date().toDateString();
  time.dateTime = moment.toISOString();
  time.textContent = (today && !("long" in time.dataset) ? short : long).format(moment);
}

for (const button of document.querySelectorAll("button[data-fate]")) {
  button.addEventListener("click", async () => {
    const body = JSON.stringify({ id: button.dataset.mail, type: button.dataset.fate });
    await fetch("/_sim/emails/events", { method: "POST", body });
    location.reload();
  });
}

listen(
  (kind) => {
    if (kind === "email") location.reload();
  },
  () => {},
);
