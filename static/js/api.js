/** Calls to the REST API: one place for the CSRF token, idempotency keys and problem answers. */

const TIMEOUT_MS = 10_000;

/** Return a fresh idempotency key. */
export function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // plain http on another host
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What came back that is not a success. unknown: it may have happened; ask again with the same key. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || "The server refused the request.");
    this.status = status;
    this.code = body.code ?? "";
    this.isSignedOut = status === 401 || this.code.startsWith("csrf"); // logged out, or in as somebody else
    this.errors = body.errors ?? [];
    this.unknown = status === 0 || status >= 500 || body.outcome === "unknown" || body.code === "idempotency_in_flight";
  }
}

async function call(path, options) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", signal: AbortSignal.timeout(TIMEOUT_MS), ...options });
  } catch {
    throw new Problem(0, { detail: "No answer from the server." });
  }
  const text = await response.text().catch(() => "");
  let body = {};
  try {
    body = text ? JSON.parse(text) : {};
  } catch {
    body = { detail: `The server answered ${response.status}.` };
  }
  if (!response.ok) throw new Problem(response.status, body);
  return body;
}

export function get(path) {
  return call(path, { headers: { Accept: "application/json" } });
}

/** POST a body under an idempotency key. Sending it again with the same key never does it twice. */
export function post(path, body, key) {
  const token = document.querySelector("meta[name=csrf-token]").content;
  return call(path, {
    method: "POST",
    headers: {
      Accept: "application/json",
      "Content-Type": "application/json",
      "Idempotency-Key": key,
      "X-CSRFToken": token,
    },
    body: JSON.stringify(body),
  });
}
