// Calls to the control, and its live updates.

export async function get(path) {
  const response = await fetch(path, { headers: { accept: "application/json" } });
  if (!response.ok) throw new Error(`${response.status}`);
  return response.json();
}

export async function post(path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error || `${response.status}`);
  return answer;
}

// Calls `changed(kind, phone)` for each change, and `connected(true|false)` as the line comes and
// goes; after a gap a change of kind "all" says that anything may have happened.
export function listen(changed, connected) {
  const source = new EventSource("/_sim/live");
  source.addEventListener("open", () => {
    connected(true);
    changed("all", null);
  });
  source.addEventListener("error", () => connected(false));
  source.addEventListener("change", (event) => {
    const change = JSON.parse(event.data);
    changed(change.kind, change.phone);
  });
}

// Runs `work` soon, once for many calls, and never twice at a time.
export function gathered(work) {
  let waiting = false;
  let running = false;
  async function run() {
    if (running) return;
    running = true;
    while (waiting) {
      waiting = false;
      await work();
    }
    running = false;
  }
  return () => {
    waiting = true;
    setTimeout(run, 30);
  };
}
