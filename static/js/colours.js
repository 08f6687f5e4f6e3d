/** The colours of the page for whoever draws by itself, as the browser resolves them. */

import { h } from "./dom.js";

const NAMES = ["line", "line-soft", "line-strong", "muted", "soft", "text", "up", "up-soft", "down", "down-soft", "accent", "panel", "raised", "on-accent"];

/** Return {name: "rgb(…)"}; a system's own colours (forced colours) are names, not numbers. */
export function readColours(beside) {
  const probe = h("span", { hidden: true });
  beside.after(probe);
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const found = Object.fromEntries(NAMES.map((name) => [name, plain(read(name))]));
  probe.remove();
  return found;
}

/** The chart's library reads rgb() and rgba(): what the browser may tell as color(srgb …) is put so. */
function plain(colour) {
  const found = /^color\(srgb ([\d.]+) ([\d.]+) ([\d.]+)(?: \/ ([\d.]+))?\)$/.exec(colour);
  if (!found) return colour;
  const [red, green, blue] = found.slice(1, 4).map((part) => Math.round(Number(part) * 255));
  return `rgba(${red}, ${green}, ${blue}, ${found[4] ?? 1})`;
}
