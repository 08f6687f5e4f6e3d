/** What a refusal means in plain words. The server knows the texts (orders/pages/reasons.py). */

import { boot } from "./dom.js";
import { words } from "./format.js";

/** Return a sentence for a code. */
export function reason(code) {
  if (!code) return "";
  const known = boot().reasons?.[code];
  if (known) return known;
  const text = words(code);
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}
