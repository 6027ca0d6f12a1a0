// Asks the authenticator for what the form wants, puts its answer in, and sends the form.
"use strict";
const form = document.querySelector("form[data-passkey]");
const problem = document.getElementById("problem");

function bytes(text) {
  const plain = atob(text.replace(/-/g, "+").replace(/_/g, "/"));
  return Uint8Array.from(plain, (letter) => letter.charCodeAt(0));
}

function text(buffer) {
  const plain = String.fromCharCode(...new Uint8Array(buffer));
  return btoa(plain).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function opened(options) {
  const listed = (keys) => (keys || []).map((key) => ({ ...key, id: bytes(key.id) }));
  const found = { ...options, challenge: bytes(options.challenge) };
  if (options.user) {
    found.user = { ...options.user, id: bytes(options.user.id) };
    found.excludeCredentials = listed(options.excludeCredentials);
  } else {
    found.allowCredentials = listed(options.allowCredentials);
  }
  return found;
}

function told(credential) {
  const response = { clientDataJSON: text(credential.response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature"]) {
    if (credential.response[name]) {
      response[name] = text(credential.response[name]);
    }
  }
  return JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    response,
    clientExtensionResults: {},
  });
}

async function ask(event) {
  event.preventDefault();
  problem.hidden = true;
  const publicKey = opened(JSON.parse(form.dataset.passkey));
  try {
    const credential = publicKey.user
      ? await navigator.credentials.create({ publicKey })
      : await navigator.credentials.get({ publicKey });
    form.elements.credential.value = told(credential);
    form.submit();
  } catch (error) {
    problem.hidden = false;
    problem.lastElementChild.textContent = `The passkey did not answer (${error.name}). Try again.`;
  }
}

form.addEventListener("submit", ask);
