// The pages' script: htmx with live updates, and a few behaviours of our own. Nothing inline.
import "htmx.org";
import "htmx.org/dist/ext/hx-sse.js";

import "./js/assistant.js";
import "./js/csrf.js";
import "./js/dialogs.js";
import "./js/forms.js";
import "./js/hours.js";
import "./js/inbox.js";
import "./js/menus.js";
import "./js/passkeys.js";
import "./js/toasts.js";
