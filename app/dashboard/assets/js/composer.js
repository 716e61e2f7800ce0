// Writing in the inbox: drafts, canned replies, files, and sending without leaving the page.
// Sends a form as a part of the page; what cannot be answered in place becomes a page of its own.
export async function post(form, submitter) {
  const answer = await fetch(submitter?.hasAttribute("formaction") ? submitter.formAction : form.action, {
    method: "POST",
    body: new FormData(form),
    headers: { "HX-Request": "true", "HX-Request-Type": "partial" },
  });
  return { ok: answer.ok, moved: answer.redirected, url: answer.url, text: await answer.text() };
}

export function show(live, html) {
  const parsed = new DOMParser().parseFromString(html, "text/html").getElementById("thread-live");
  if (!parsed) return false;
  live().dataset.assignee = parsed.dataset.assignee;
  live().replaceChildren(...parsed.childNodes);
  const box = document.getElementById("thread-scroll");
  box.scrollTop = box.scrollHeight;
  return true;
}

export function composer(live, then) {
  const form = document.querySelector("[data-composer]");
  if (!form) return;
  const box = form.elements.body;
  const wrong = document.getElementById("body-error");
  const file = attaching(form, (text) => complain(text));
  const draft = `parley-draft-${form.getAttribute("action")}`;
  box.value ||= sessionStorage.getItem(draft) ?? "";
  let sending = false;

  box.addEventListener("input", () => sessionStorage.setItem(draft, box.value));
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
        file.show();
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

// A file is chosen, dropped or pasted; one that is too large is refused before it travels.
function attaching(form, complain) {
  const input = form.elements.file;
  const shown = form.querySelector("[data-attached]");
  const thread = document.getElementById("thread");
  const kilobytes = new Intl.NumberFormat(document.documentElement.lang, {
    style: "unit", unit: "kilobyte", maximumFractionDigits: 0,
  });
  const show = () => {
    const file = input.files[0];
    shown.hidden = !file;
    if (!file) return;
    shown.querySelector("[data-attached-name]").textContent = file.name;
    shown.querySelector("[data-attached-size]").textContent = kilobytes.format(Math.max(file.size / 1000, 1));
    if (file.size > Number(form.dataset.bytesMax)) {
      drop();
      complain(form.dataset.tooLarge);
    }
  };
  const drop = () => {
    input.value = "";
    show();
  };
  const take = (event, files) => {
    if (!files?.length) return;
    event.preventDefault();
    input.files = files;
    show();
    form.elements.body.focus();
  };
  input.addEventListener("change", show);
  form.querySelector("[data-detach]").addEventListener("click", () => {
    drop();
    form.elements.body.focus();
  });
  form.elements.body.addEventListener("paste", (event) => take(event, event.clipboardData?.files));
  thread.addEventListener("dragover", (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    form.classList.add("composer-drop");
  });
  for (const name of ["dragleave", "drop"]) {
    thread.addEventListener(name, () => form.classList.remove("composer-drop"));
  }
  thread.addEventListener("drop", (event) => take(event, event.dataTransfer?.files));
  return { show };
}
