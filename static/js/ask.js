/**
 * One question before something that cannot be taken back. The focus is on the way out, so a second
 * press of an impatient finger means no; a key that is held down answers nothing.
 */

import { $, h, setText } from "./dom.js";

/** Ask; resolves to the value of the button that was pressed, "" for no. answers: {value: words}. */
export function ask({ title, lines, answers, no = "Go back" }) {
  const sheet = $("#ask");
  if (sheet.open) return Promise.resolve("");
  setText($("#ask-title"), title);
  $("#ask-lines").replaceChildren(...lines.map((line) => h("p", {}, line)));
  const buttons = Object.entries(answers).map(([value, words]) => h("button", { value, class: "primary" }, words));
  $("#ask-buttons").replaceChildren(h("button", { value: "", autofocus: true }, no), ...buttons);
  sheet.returnValue = "";
  sheet.showModal();
  return new Promise((resolve) => {
    sheet.addEventListener("close", () => resolve(sheet.returnValue), { once: true });
  });
}

/** A held Enter repeats: it would press whatever just got the focus, a dialog's answer or a button behind it. */
export function ignoreRepeats(root) {
  root.addEventListener("keydown", (event) => {
    if (event.repeat && event.key === "Enter") event.preventDefault();
  });
}
