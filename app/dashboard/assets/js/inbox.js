// The inbox: live updates, keys, and what is done to a conversation without leaving it. Everything
// here is a convenience: without it the same forms and links work page by page.
import { elsewhere, notifications, showUnread, tell } from "./calling.js";
import { composer, post, show } from "./composer.js";

const SETTLE_MS = 40;
const LIST_MS = 250;
const HIDDEN_LIST_MS = 2000;
const END_PX = 120;
const LOST_MS = 4000;
const AGAIN_MS = 5000;

const inbox = document.querySelector("[data-inbox]");
const refresh = (element) => element?.dispatchEvent(new CustomEvent("refresh"));
const isTyping = (target) => target.closest("input, textarea, select, [contenteditable]");

if (inbox) start();
else if (document.querySelector("[data-unread]")) elsewhere();

function start() {
  const rows = () => document.getElementById("inbox-rows");
  const live = () => document.getElementById("thread-live");
  const scroller = () => document.getElementById("thread-scroll");
  let unread = Number(rows().dataset.unreadTotal);
  let follows = true;
  let staleThread = false;
  let led = false;
  const newer = document.querySelector("[data-newer]");
  newer?.addEventListener("click", () => {
    newer.hidden = true;
    follows = true;
    refresh(live());
  });

  showUnread(unread);
  toEnd();

  // To the newest message, or to the one that the address names.
  function toEnd() {
    const named = /^#line-[0-9a-f-]+$/.test(location.hash) && document.querySelector(location.hash);
    const box = scroller();
    if (named && !led) {
      led = true;
      named.scrollIntoView({ block: "center" });
      follows = false;
    } else if (box && location.hash !== "#panel") box.scrollTop = box.scrollHeight;
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

  // What is told in one moment is fetched once; the list, which changes with every conversation,
  // not more often than anybody can read it. A hidden page reads nobody's messages as seen.
  let open = null;
  let listing = null;
  let listedAt = -Infinity;
  function changed(ids) {
    const every = document.hidden ? HIDDEN_LIST_MS : LIST_MS;
    listing ??= setTimeout(() => {
      listing = null;
      listedAt = performance.now();
      refresh(rows());
    }, Math.max(SETTLE_MS, listedAt + every - performance.now()));
    if (!inbox.dataset.open || (ids !== null && !ids.includes(inbox.dataset.open))) return;
    open ??= setTimeout(() => {
      open = null;
      refreshThread();
      refreshPanel();
    }, SETTLE_MS);
  }

  // Not under the hands of somebody who writes in it; then once they have left it.
  let stalePanel = false;
  const panel = document.getElementById("panel");
  function refreshPanel() {
    stalePanel = Boolean(panel?.contains(document.activeElement) || panel?.querySelector("dialog[open]"));
    if (!stalePanel && !document.hidden) refresh(document.getElementById("panel-live"));
  }
  panel?.addEventListener("focusout", () => setTimeout(() => stalePanel && refreshPanel()));

  // A conversation that was given to somebody else is not this person's to read any more.
  document.addEventListener("htmx:after:request", (event) => {
    const { sourceElement, response } = event.detail.ctx;
    if (response.status !== 404 || !["thread-live", "panel-live"].includes(sourceElement?.id)) return;
    event.preventDefault();
    location.assign("/inbox");
  });

  listen(changed);
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || !staleThread) return;
    refreshThread();
    refreshPanel();
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

  document.querySelector(".inbox-views [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  notifications();
  keys(rows);
  composer(live, () => { follows = true; refresh(rows()); });
  acts(live, () => refresh(rows()));
  whys();
}

// Follows what changes. A stream that ends is opened again where it stopped; one that stays away is
// told to whoever reads, for what they see may be old.
function listen(changed) {
  const lost = document.querySelector("[data-lost]");
  let cursor = inbox.dataset.cursor;
  let stream = null;
  let waiting = null;
  const back = () => {
    clearTimeout(waiting);
    waiting = null;
    lost.hidden = true;
  };
  const away = () => (waiting ??= setTimeout(() => (lost.hidden = false), LOST_MS));
  const open = () => {
    const query = new URLSearchParams({ after: cursor, open: inbox.dataset.open });
    stream = new EventSource(`/inbox/stream?${query}`);
    stream.addEventListener("open", back);
    stream.addEventListener("change", (event) => {
      cursor = event.lastEventId || cursor;
      const ids = JSON.parse(event.data);
      if (ids === null || ids.length) changed(ids);
    });
    stream.addEventListener("error", async () => {
      away();
      // The browser tries again by itself, except after a refusal: perhaps nobody is signed in.
      if (stream.readyState !== EventSource.CLOSED) return;
      const answer = await fetch("/inbox/unread").catch(() => null);
      if (answer?.redirected || answer?.status === 401) location.reload();
      else setTimeout(open, AGAIN_MS);
    });
  };
  open();
  addEventListener("offline", () => (lost.hidden = false));
  addEventListener("online", () => stream.readyState === EventSource.OPEN && back());
  addEventListener("pagehide", () => stream.close());
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
