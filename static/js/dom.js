/** Small DOM building blocks. Text goes in as text nodes only, never as HTML. */

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/** Return a new element: h("td", {class: "num", dataset: {id: 1}}, "text", child…). */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "dataset") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Set an element's text only if it differs: the browser then has nothing to lay out again. */
export function setText(element, text) {
  if (!element || element.textContent === text) return;
  const only = element.firstChild;
  if (only?.nodeType === Node.TEXT_NODE && !only.nextSibling && text) only.data = text;
  else element.textContent = text;
}

/** Make children exactly these elements, touching only those that come, go or move. */
export function arrange(parent, elements) {
  const kept = new Set(elements);
  for (const child of [...parent.children]) if (!kept.has(child)) child.remove();
  let next = parent.firstElementChild;
  for (const element of elements) {
    if (element === next) next = next.nextElementSibling;
    else parent.insertBefore(element, next);
  }
}

/** Return the JSON block the server left in the page. */
export function boot() {
  left ??= JSON.parse(document.getElementById("boot")?.textContent ?? "{}");
  return left;
}

let left;
