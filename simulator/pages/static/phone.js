// The phones: who is chosen, what each shows, and sending from either side.

import { drawChat, element, followEnd, shortTime } from "./bubbles.js";
import { gathered, get, listen, post } from "./live.js";
import { voiceNote } from "./voice.js";
import { drawWaiting } from "./scan.js";

const strings = JSON.parse(document.body.dataset.strings);
const desk = document.querySelector(".desk");
const problem = document.getElementById("problem");
const sides = ["customer", "business"];
let phone = new URLSearchParams(location.search).get("phone") || "";
let sessions = [];

function say(text) {
  problem.textContent = text;
  problem.hidden = !text;
}

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

function pretty(number) {
  if (!/^\d+$/.test(number)) return number;
  const digits = number.length === 11 && number[0] === "1" ? number.slice(1) : number.slice(2);
  const country = number.slice(0, number.length - digits.length);
  return `+${country} ${digits.replace(/(\d{3})(?=\d{3})/g, "$1 ")}`;
}

function business() {
  const working = sessions.find((one) => one.status === "WORKING") || sessions[0];
  return working?.me?.pushName || strings.business;
}

function choose(number) {
  phone = number;
  history.replaceState(null, "", `?phone=${encodeURIComponent(number)}`);
  document.getElementById("number").value = pretty(number);
  for (const list of document.querySelectorAll(".chat")) followEnd(list, true);
  refreshChat();
  refreshPeople();
}

const refreshPeople = gathered(async () => {
  const { phones } = await get("/_sim/customers");
  if (!phone) return choose(phones[0]?.phone || document.body.dataset.first);
  const rows = phones.map(({ phone: number, last }) => {
    const row = element("li");
    const button = element("button");
    button.type = "button";
    if (number === phone) button.setAttribute("aria-current", "true");
    button.append(
      element("span", "avatar", number.slice(-2)),
      element("span", "name", pretty(number)),
      element("time", "", shortTime(last.at_ms)),
      element("span", "last", last.text || strings[last.media?.kind] || ""),
    );
    button.addEventListener("click", () => choose(number));
    row.append(button);
    return row;
  });
  const none = element("li", "none", strings.no_customers);
  document.getElementById("people").replaceChildren(...(rows.length ? rows : [none]));
});

const refreshChat = gathered(async () => {
  if (!phone) return;
  const view = await get(`/_sim/customers/${encodeURIComponent(phone)}/messages`);
  for (const side of sides) {
    const device = document.getElementById(side);
    const name = side === "customer" ? business() : pretty(phone);
    device.querySelector(".bar .name").textContent = name;
    const initials = side === "customer" ? name.slice(0, 1) : phone.slice(-2);
    device.querySelector(".bar .avatar").textContent = initials;
    const typing = side === "customer" && view.typing;
    device.querySelector(".state").textContent = typing ? strings.typing : strings.online;
    drawChat(device.querySelector(".chat"), view, side, strings);
  }
});

const refreshState = gathered(async () => {
  const [listed, model] = await Promise.all([get("/_sim/sessions"), get("/_sim/model")]);
  sessions = listed.sessions;
  const shown = document.getElementById("session");
  const one = sessions.find((session) => session.status === "WORKING") || sessions[0];
  shown.textContent = one ? fill(strings.session, one) : strings.no_session;
  shown.classList.toggle("working", one?.status === "WORKING");
  drawWaiting(sessions, strings, (error) =>
    say(fill(strings.not_scanned, { reason: error.message })),
  );
  const other = document.getElementById("notice-other");
  const demo = model.mode === "demo";
  document.getElementById("notice-demo").hidden = !demo;
  other.hidden = demo;
  other.textContent = demo ? "" : strings[`model_${model.mode}`];
  document.getElementById("notice").hidden = false;
  refreshChat();
});

async function send(side, body) {
  const door = side === "customer" ? "customers" : "owner";
  try {
    await post(`/_sim/${door}/${encodeURIComponent(phone)}/messages`, body);
    say("");
    return true;
  } catch (error) {
    say(fill(strings.not_sent, { reason: error.message }));
    return false;
  }
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(String(reader.result).split(",", 2)[1] || ""));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(file);
  });
}

async function sendFile(input) {
  const [file] = input.files;
  if (!file) return;
  const type = file.type.split("/")[0];
  const kind = ["image", "video", "audio"].includes(type) ? type : "document";
  const mimetype = file.type || "application/octet-stream";
  const media = { kind, mimetype, data_base64: await base64(file), filename: file.name };
  await send("customer", { media });
  input.value = "";
}

async function sendVoice(text) {
  const words = text.value.trim();
  if (!words || !phone) {
    say(strings.type_to_speak);
    text.focus();
    return;
  }
  const file = new Blob([voiceNote(words)]);
  const media = { kind: "voice", mimetype: "audio/wav", data_base64: await base64(file) };
  if (!(await send("customer", { media }))) return;
  text.value = "";
  text.dispatchEvent(new Event("input"));
}

function prepare(side) {
  const form = document.querySelector(`#${side} .compose`);
  const text = form.querySelector(".text");
  const grow = () => {
    text.style.height = "auto";
    text.style.height = `${Math.min(text.scrollHeight + 2, 120)}px`;
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const written = text.value.trim();
    if (!written || !phone) return;
    text.value = "";
    grow();
    if (!(await send(side, { text: written }))) text.value = written;
  });
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  text.addEventListener("input", grow);
  form.querySelector(".file")?.addEventListener("change", (event) => sendFile(event.target));
  form.querySelector(".speak")?.addEventListener("click", () => sendVoice(text));
}

for (const side of sides) prepare(side);
for (const tab of document.querySelectorAll(".tabs button")) {
  tab.addEventListener("click", () => {
    desk.dataset.show = tab.dataset.side;
    for (const each of document.querySelectorAll(".tabs button")) {
      each.setAttribute("aria-pressed", String(each === tab));
    }
    followEnd(document.querySelector(`#${tab.dataset.side} .chat`), true);
  });
}
document.getElementById("dial").addEventListener("submit", (event) => {
  event.preventDefault();
  const digits = document.getElementById("number").value.replace(/\D/g, "");
  const good = digits.length >= 5 && digits.length <= 15;
  say(good ? "" : strings.bad_number);
  if (good) choose(digits);
});
if (phone) choose(phone);
listen(
  (kind, changed) => {
    if (kind === "email") return;
    if (["all", "session", "model"].includes(kind)) refreshState();
    if (["all", "message", "forgotten"].includes(kind)) refreshPeople();
    if (changed === phone || kind === "forgotten") refreshChat();
  },
  (connected) => say(connected ? "" : strings.offline),
);
