// Calling people: how many customers wait, beside "Inbox" and in the title, a sound, a notification.
const NOTIFY = "parley-notify";
const ASK_MS = 30_000;

// The number beside "Inbox", in the navigation and in the title.
export function showUnread(count) {
  for (const badge of document.querySelectorAll("[data-unread]")) {
    badge.hidden = !count;
    badge.querySelector("[data-unread-count]").textContent = count > 98 ? "99+" : count;
  }
  const title = document.title.replace(/^\(\d+\+?\) /, "");
  document.title = count ? `(${count}) ${title}` : title;
}

// How many wait; null when that cannot be known now.
export async function askUnread() {
  try {
    const answer = await fetch("/inbox/unread", { headers: { Accept: "application/json" } });
    return answer.ok && !answer.redirected ? (await answer.json()).unread : null;
  } catch {
    return null;
  }
}

// Other pages ask from time to time: whoever is called is called wherever they are.
export async function elsewhere() {
  let known = null;
  const ask = async () => {
    const now = await askUnread();
    if (now === null) return;
    if (known !== null && now > known) tell(now);
    known = now;
    showUnread(now);
  };
  await ask();
  setInterval(ask, ASK_MS);
}

// Rings, and shows a notification where the page itself is not seen. Some phones know none.
export function tell(count) {
  if (localStorage.getItem(NOTIFY) !== "on") return;
  chime();
  if (!document.hidden || window.Notification?.permission !== "granted") return;
  const words = document.querySelector("[data-told]").dataset.told;
  try {
    const note = new Notification("Parley", { body: `${words} (${count})`, tag: "parley" });
    note.onclick = () => { window.focus(); note.close(); };
  } catch {
    // The sound and the number in the title say it too.
  }
}

// Two soft tones, made here: no file to fetch.
function chime() {
  const audio = new AudioContext();
  for (const [at, tone] of [[0, 660], [0.14, 880]]) {
    const voice = audio.createOscillator();
    const gain = audio.createGain();
    voice.frequency.value = tone;
    gain.gain.setValueAtTime(0.08, audio.currentTime + at);
    gain.gain.exponentialRampToValueAtTime(0.0001, audio.currentTime + at + 0.3);
    voice.connect(gain).connect(audio.destination);
    voice.start(audio.currentTime + at);
    voice.stop(audio.currentTime + at + 0.32);
  }
  setTimeout(() => audio.close(), 800);
}

export function notifications() {
  const button = document.querySelector("[data-notify]");
  if (!button) return;
  const show = () => button.setAttribute("aria-pressed", String(localStorage.getItem(NOTIFY) === "on"));
  button.hidden = false;
  show();
  button.addEventListener("click", async () => {
    const on = localStorage.getItem(NOTIFY) !== "on";
    if (on && window.Notification) await Notification.requestPermission();
    localStorage.setItem(NOTIFY, on ? "on" : "off");
    show();
    if (on) chime();
  });
}
