// Sessions that wait for a phone: each with a button that scans its code.

import { element } from "./bubbles.js";
import { post } from "./live.js";

const WAITING = ["SCAN_QR_CODE", "PASSKEY_REQUIRED", "PASSKEY_CONFIRMATION_REQUIRED"];

export function drawWaiting(sessions, strings, failed) {
  const list = document.getElementById("waiting");
  const waiting = sessions.filter((session) => WAITING.includes(session.status));
  list.hidden = waiting.length === 0;
  list.replaceChildren(
    ...waiting.map((session) => {
      const line = element("p", "waits");
      const scans = session.status === "SCAN_QR_CODE";
      line.append(element("span", "", scans ? strings.waits_scan : strings.waits_passkey));
      const button = element("button", "", scans ? strings.scan : strings.confirm);
      button.type = "button";
      button.addEventListener("click", async () => {
        button.disabled = true;
        try {
          await post(`/_sim/sessions/${encodeURIComponent(session.name)}/scan`, {});
        } catch (error) {
          button.disabled = false;
          failed(error);
        }
      });
      line.append(button);
      return line;
    }),
  );
}
