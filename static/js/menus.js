/** Menus that close by themselves, the symbol filter, and the phone's bottom tabs. */

import { $, $$ } from "./dom.js";

export function menus() {
  const all = $$("details.menu");
  const closeOthers = (kept) => {
    for (const menu of all) if (menu !== kept) menu.open = false;
  };
  for (const menu of all) {
    menu.addEventListener("toggle", () => {
      if (!menu.open) return;
      closeOthers(menu);
      $("input[type=search]", menu)?.focus();
    });
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !menu.open) return;
      event.stopPropagation();
      menu.open = false;
      $("summary", menu).focus();
    });
  }
  document.addEventListener("click", (event) => closeOthers(event.target.closest("details.menu")));
  symbolFilter();
}

function symbolFilter() {
  const field = $("#symbol-filter");
  if (!field) return;
  const rows = $$("#symbol-list [data-quote]");
  const fitting = () => rows.filter((row) => row.dataset.quote.includes(field.value.trim().toUpperCase()));
  field.addEventListener("input", () => {
    const fit = new Set(fitting());
    for (const row of rows) row.hidden = !fit.has(row);
    $("#symbol-none").hidden = fit.size > 0;
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") fitting()[0]?.click();
  });
  $("#symbol-menu").addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const stops = [field, ...fitting()];
    stops.at(Math.min(Math.max(stops.indexOf(document.activeElement) + step, 0), stops.length - 1)).focus();
  });
}

/** Wire the phone's tabs; returns a function that shows a panel by name (no effect when wide). */
export function phoneTabs(memory) {
  const desk = $("#trade");
  const links = $$("#phone-tabs a");
  const show = (name) => {
    desk.dataset.panel = name;
    memory.set("panel", name);
    for (const link of links) {
      if (link.dataset.panel === name) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    scrollTo(0, 0);
  };
  for (const link of links) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      show(link.dataset.panel);
      const tab = link.dataset.opens && $(`[data-tab=${link.dataset.opens}]`);
      if (tab) tab.click();
    });
  }
  const asked = [location.hash.slice(1), memory.get("panel")];
  show(asked.find((name) => links.some((link) => link.dataset.panel === name)) ?? "chart");
  return show;
}
