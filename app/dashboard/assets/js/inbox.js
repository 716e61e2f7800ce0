// The inbox: live updates, keys, canned replies, and sending without leaving the page. Everything
// here is a convenience: without it the same forms and links work page by page.
const NOTIFY = "parley-notify";
const SETTLE_MS = 40;
const END_PX = 120;

const inbox = document.querySelector("[data-inbox]");
const refresh = (element) => element?.dispatchEvent(new CustomEvent("refresh"));
const isTyping = (target) => target.closest("input, textarea, select, [contenteditable]");

// The number beside "Inbox", in the navigation and in the title.
function showUnread(count) {
  for (const badge of document.querySelectorAll("[data-unread]")) {
    badge.hidden = !count;
    badge.querySelector("[data-unread-count]").textContent = count > 98 ? "99+" : count;
  }
  const title = document.title.replace(/^\(\d+\+?\) /, "");
  document.title = count ? `(${count}) ${title}` : title;
}

async function askUnread() {
  const answer = await fetch("/inbox/unread", { headers: { Accept: "application/json" } });
  if (answer.ok) showUnread((await answer.json()).unread);
}

if (inbox) start();
else if (document.querySelector("[data-unread]")) askUnread().catch(() => {});

function start() {
  const rows = () => document.getElementById("inbox-rows");
  const live = () => document.getElementById("thread-live");
  const scroller = () => document.getElementById("thread-scroll");
  let unread = Number(rows().dataset.unreadTotal);
  let follows = true;
  let staleThread = false;
  let settling = null;
  const newer = document.querySelector("[data-newer]");
  newer?.addEventListener("click", () => {
    newer.hidden = true;
    follows = true;
    refresh(live());
  });

  showUnread(unread);
  toEnd();

  function toEnd() {
    const box = scroller();
    if (box && location.hash !== "#panel") box.scrollTop = box.scrollHeight;
  }

  // Who reads further up keeps their place: a button says that there is more below.
  function refreshThread() {
    const box = scroller();
    follows = !box || box.scrollHeight - box.scrollTop - box.clientHeight < END_PX;
    staleThread = document.hidden;
    if (document.hidden) return;
    if (follows) refresh(live());
    else newer.hidden = false;
  }

  // What is told in one moment is fetched once. A hidden page reads nobody's messages as seen.
  const pending = { rows: false, thread: false };
  function changed(ids) {
    pending.rows = true;
    pending.thread ||= ids === null || ids.includes(inbox.dataset.open);
    settling ??= setTimeout(() => {
      settling = null;
      if (pending.thread && inbox.dataset.open) refreshThread();
      refresh(rows());
      pending.rows = pending.thread = false;
    }, SETTLE_MS);
  }

  const stream = new EventSource(`/inbox/stream?after=${encodeURIComponent(inbox.dataset.cursor)}`);
  stream.addEventListener("change", (event) => {
    const ids = JSON.parse(event.data);
    if (ids === null || ids.length) changed(ids);
  });
  addEventListener("pagehide", () => stream.close());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && staleThread) refreshThread();
  });

  new MutationObserver(() => {
    const now = Number(rows()?.dataset.unreadTotal ?? unread);
    if (now > unread) tell(now);
    unread = now;
    showUnread(unread);
  }).observe(rows().parentElement, {
    subtree: true, childList: true, attributes: true, attributeFilter: ["data-unread-total"],
  });
  if (live()) {
    new MutationObserver(() => {
      if (follows) toEnd();
      const charge = document.getElementById("assignee");
      if (charge) charge.value = live().dataset.assignee;
    }).observe(live().parentElement, { subtree: true, childList: true });
    scroller().addEventListener("scroll", () => {
      const box = scroller();
      follows = box.scrollHeight - box.scrollTop - box.clientHeight < END_PX;
    });
  }

  notifications();
  keys(rows);
  composer(live, () => { follows = true; refresh(rows()); });
  acts(live, () => refresh(rows()));
  whys();

  function tell(count) {
    if (localStorage.getItem(NOTIFY) !== "on") return;
    chime();
    if (document.hidden && window.Notification?.permission === "granted") {
      const note = new Notification("Parley", { body: `${inbox.dataset.told} (${count})`, tag: "parley" });
      note.onclick = () => { window.focus(); note.close(); };
    }
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

function notifications() {
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

function keys(rows) {
  const step = (by) => {
    const links = [...rows().querySelectorAll("[data-row]")];
    const here = links.indexOf(document.activeElement);
    const at = here < 0 ? links.findIndex((link) => link.hasAttribute("aria-current")) : here;
    links[Math.min(Math.max(at + by, 0), links.length - 1)]?.focus();
  };
  const does = {
    j: () => step(1),
    k: () => step(-1),
    "/": () => document.getElementById("q").focus(),
    r: () => document.getElementById("body")?.focus(),
    e: () => document.querySelector("form[data-key=e]")?.requestSubmit(),
    "?": () => document.getElementById("keys").showModal(),
  };
  document.addEventListener("keydown", (event) => {
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (!plain || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if (!Object.hasOwn(does, event.key)) return;
    event.preventDefault();
    does[event.key]();
  });
}

// Sends a form as a part of the page; what cannot be answered in place becomes a page of its own.
async function post(form, submitter) {
  const answer = await fetch(submitter?.hasAttribute("formaction") ? submitter.formAction : form.action, {
    method: "POST",
    body: new FormData(form),
    headers: { "HX-Request": "true", "HX-Request-Type": "partial" },
  });
  return { ok: answer.ok, moved: answer.redirected, url: answer.url, text: await answer.text() };
}

function show(live, html) {
  const parsed = new DOMParser().parseFromString(html, "text/html").getElementById("thread-live");
  if (!parsed) return false;
  live().dataset.assignee = parsed.dataset.assignee;
  live().replaceChildren(...parsed.childNodes);
  const box = document.getElementById("thread-scroll");
  box.scrollTop = box.scrollHeight;
  return true;
}

function acts(live, then) {
  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-act]");
    if (!form || !live()) return;
    event.preventDefault();
    try {
      const answer = await post(form);
      if (!answer.ok || answer.moved || !show(live, answer.text)) location.reload();
      then();
    } catch {
      location.reload();
    } finally {
      delete form.dataset.sending;
    }
  });
}

function composer(live, then) {
  const form = document.querySelector("[data-composer]");
  if (!form) return;
  const box = form.elements.body;
  const wrong = document.getElementById("body-error");
  const attached = form.querySelector("[data-attached]");
  const draft = `parley-draft-${form.getAttribute("action")}`;
  box.value ||= sessionStorage.getItem(draft) ?? "";
  let sending = false;

  box.addEventListener("input", () => sessionStorage.setItem(draft, box.value));
  form.elements.file?.addEventListener("change", () => {
    attached.textContent = form.elements.file.files[0]?.name ?? "";
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (sending) return;
    sending = true;
    event.submitter?.setAttribute("aria-busy", "true");
    wrong.hidden = true;
    try {
      const answer = await post(form, event.submitter);
      if (answer.moved) location.assign(answer.url);
      else if (answer.ok && show(live, answer.text)) {
        form.reset();
        box.value = "";
        attached.textContent = "";
        sessionStorage.removeItem(draft);
        form.elements.form_key.value = crypto.randomUUID();
        then();
      } else if (answer.text.startsWith("<")) location.reload();
      else complain(answer.text);
    } catch {
      complain("");
    } finally {
      sending = false;
      event.submitter?.removeAttribute("aria-busy");
      box.focus();
    }
  });

  // The form's key stays after a failure: what arrived all the same is not sent again.
  function complain(text) {
    wrong.querySelector("[data-composer-error]").textContent = text || form.dataset.failed;
    wrong.hidden = false;
  }

  // A draft goes behind what stands there already; it is the person's to change and send.
  const suggest = document.querySelector("form[data-suggest]");
  suggest?.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (suggest.dataset.asking) return;
    suggest.dataset.asking = "true";
    event.submitter?.setAttribute("aria-busy", "true");
    wrong.hidden = true;
    try {
      const answer = await post(suggest);
      if (answer.moved || answer.text.startsWith("<")) location.reload();
      else if (!answer.ok) complain(answer.text);
      else {
        box.value = [box.value.trim(), answer.text].filter(Boolean).join("\n\n");
        box.dispatchEvent(new Event("input"));
        box.focus();
      }
    } catch {
      complain("");
    } finally {
      delete suggest.dataset.asking;
      event.submitter?.removeAttribute("aria-busy");
    }
  });

  const canned = document.getElementById("canned");
  const options = [...canned.children];
  const shown = () => options.filter((option) => !option.hidden);
  const pick = (option) => {
    box.value = option.dataset.body;
    canned.hidden = true;
    box.dispatchEvent(new Event("input"));
    box.focus();
  };
  const mark = (at) => {
    const open = shown();
    for (const option of options) option.setAttribute("aria-selected", String(option === open[at]));
    if (open[at]) box.setAttribute("aria-activedescendant", open[at].id);
    open[at]?.scrollIntoView({ block: "nearest" });
  };
  const marked = () => shown().findIndex((o) => o.getAttribute("aria-selected") === "true");
  box.addEventListener("input", () => {
    const asked = /^\/([a-z0-9-]*)$/.exec(box.value);
    for (const option of options) option.hidden = !asked || !option.dataset.shortcut.startsWith(asked[1]);
    canned.hidden = !asked || shown().length === 0;
    if (!canned.hidden) mark(0);
    else box.removeAttribute("aria-activedescendant");
  });
  box.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (!canned.hidden) {
      const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (by) mark((marked() + by + shown().length) % shown().length);
      else if (event.key === "Enter" || event.key === "Tab") pick(shown()[marked()]);
      else if (event.key === "Escape") canned.hidden = true;
      else return;
      event.preventDefault();
    } else if (event.key === "Enter" && !event.shiftKey && matchMedia("(pointer: fine)").matches) {
      event.preventDefault();
      form.requestSubmit(form.querySelector("[data-send]"));
    }
  });
  canned.addEventListener("pointerdown", (event) => {
    const option = event.target.closest("li");
    if (option) {
      event.preventDefault();
      pick(option);
    }
  });
}

function whys() {
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-why]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const answer = await fetch(link.href, { headers: { "HX-Request": "true", "HX-Request-Type": "partial" } });
    if (!answer.ok) return location.assign(link.href);
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.getElementById("why-body").replaceChildren(...parsed.body.childNodes);
    document.getElementById("why").showModal();
  });
}
