// Draws a chat: days, bubbles, ticks, files, and the dots of somebody typing.

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const date = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

export function shortTime(ms) {
  return clock.format(new Date(ms));
}

export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function dayName(ms, strings) {
  const day = new Date(ms);
  const today = new Date();
  const yesterday = new Date(today.getFullYear(), today.getMonth(), today.getDate() - 1);
  if (day.toDateString() === today.toDateString()) return strings.today;
  if (day.toDateString() === yesterday.toDateString()) return strings.yesterday;
  return date.format(day);
}

function ticks(message, strings) {
  if (message.failed) return element("span", "failed", strings.failed);
  const kind = ["clock", "single", "double", "double"][message.ticks];
  const drawn = document.getElementById(`ticks-${kind}`).content.firstElementChild.cloneNode(true);
  drawn.classList.toggle("read", message.ticks === 3);
  drawn.setAttribute("aria-label", strings[`ticks_${message.ticks}`]);
  return drawn;
}

function file(media, strings) {
  const name = media.filename || strings[media.kind];
  const type = media.mimetype.split("/")[0];
  if (type === "image") {
    const image = element("img");
    image.src = media.url;
    image.alt = name;
    return image;
  }
  if (type === "video" || type === "audio") {
    const player = element(type);
    player.src = media.url;
    player.controls = true;
    player.setAttribute("aria-label", name);
    return player;
  }
  const link = element("a", "paper", `📄 ${name}`);
  link.href = media.url;
  link.download = media.filename || "";
  return link;
}

function bubble(message, mine, label, first, strings) {
  const item = element("li", `bubble${mine ? " mine" : ""}${first ? " first" : ""}`);
  if (label && first) item.append(element("span", "by", label));
  if (message.media) item.append(file(message.media, strings));
  item.append(element("span", "words", message.text));
  const meta = element("span", "meta");
  const time = element("time", "", shortTime(message.at_ms));
  time.dateTime = new Date(message.at_ms).toISOString();
  meta.append(time);
  if (mine) meta.append(ticks(message, strings));
  item.append(meta);
  if (message.reaction) item.append(element("span", "reaction", message.reaction));
  return item;
}

const following = new WeakMap();

// Keeps a chat at its end while its reader is there, also when pictures load or the window changes.
export function followEnd(list, anew = false) {
  if (!following.has(list)) {
    following.set(list, true);
    list.addEventListener("scroll", () => {
      following.set(list, list.scrollHeight - list.scrollTop - list.clientHeight < 80);
    });
    list.addEventListener("load", () => followEnd(list), true);
    new ResizeObserver(() => followEnd(list)).observe(list);
  }
  if (anew) following.set(list, true);
  if (following.get(list)) list.scrollTop = list.scrollHeight;
}

// `view` is {messages, typing}; `side` says whose phone it is: the own bubbles stand on the right.
export function drawChat(list, view, side, strings) {
  const items = [];
  let day = "";
  let previous = "";
  for (const message of view.messages) {
    const name = dayName(message.at_ms, strings);
    if (name !== day) items.push(element("li", "day", name));
    const mine = (message.author === "customer") === (side === "customer");
    const label = side === "business" && mine ? strings[message.author] : "";
    const first = name !== day || previous !== message.author;
    items.push(bubble(message, mine, label, first, strings));
    day = name;
    previous = message.author;
  }
  if (!items.length) items.push(element("li", "hint", strings[`empty_${side}`]));
  if (view.typing && side === "customer") {
    const dots = element("li", "bubble first");
    const group = element("span", "dots");
    group.setAttribute("role", "img");
    group.setAttribute("aria-label", strings.typing);
    group.append(element("i"), element("i"), element("i"));
    dots.append(group);
    items.push(dots);
  }
  list.replaceChildren(...items);
  followEnd(list);
}
