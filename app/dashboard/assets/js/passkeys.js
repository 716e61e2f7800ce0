// Passkeys: a form with data-passkey="register|sign-in" asks the server for options, the browser
// for a credential, and submits it as JSON in the field "credential" with the ceremony's id.
const form = document.querySelector("form[data-passkey]");

const toBytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=+$/, "");

function decode(options) {
  const listed = (items) => items?.map((item) => ({ ...item, id: toBytes(item.id) }));
  return {
    ...options,
    challenge: toBytes(options.challenge),
    ...(options.user && { user: { ...options.user, id: toBytes(options.user.id) } }),
    ...(options.excludeCredentials && { excludeCredentials: listed(options.excludeCredentials) }),
    ...(options.allowCredentials && { allowCredentials: listed(options.allowCredentials) }),
  };
}

function encode(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature",
    "userHandle"]) {
    if (credential.response[name]) response[name] = toText(credential.response[name]);
  }
  if (credential.response.getTransports) response.transports = credential.response.getTransports();
  return {
    id: credential.id,
    rawId: toText(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
    response,
  };
}

async function ask(kind, options) {
  const publicKey = decode(options);
  return kind === "register"
    ? navigator.credentials.create({ publicKey })
    : navigator.credentials.get({ publicKey });
}

async function run(event) {
  event.preventDefault();
  event.stopImmediatePropagation();
  const failure = form.querySelector("[data-passkey-failed]");
  failure.hidden = true;
  try {
    const answer = await fetch(form.dataset.options, {
      method: "POST",
      headers: { "X-CSRF-Token": form.elements.csrf_token?.value ?? "", Accept: "application/json" },
    });
    if (!answer.ok) throw new Error(String(answer.status));
    const { ceremony, options } = await answer.json();
    const credential = await ask(form.dataset.passkey, options);
    form.elements.ceremony.value = ceremony;
    form.elements.credential.value = JSON.stringify(encode(credential));
    form.removeEventListener("submit", run, true);
    form.submit();
  } catch {
    failure.hidden = false;
  }
}

if (form && window.PublicKeyCredential) {
  form.hidden = false;
  form.addEventListener("submit", run, true);
}
