/** Keyboard shortcuts: off until switched on, never while typing. The user menu opens the sheet. */

import { $ } from "./dom.js";

const SWITCH = "oms.keys";

export class Keys {
  constructor({ ticket, chart }) {
    this.ticket = ticket;
    this.chart = chart;
    this.sheet = $("#keys");
    this.switch = $("#keys-on");
    this.switch.checked = localStorage.getItem(SWITCH) === "on";
    this.switch.addEventListener("change", () => localStorage.setItem(SWITCH, this.switch.checked ? "on" : "off"));
    $("#keys-open").addEventListener("click", () => this.open());
    document.addEventListener("keydown", (event) => this.pressed(event));
    this.sheet.addEventListener("close", () => $("#user-menu summary").focus());
  }

  open() {
    if (!this.sheet.open) this.sheet.showModal();
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || document.querySelector("dialog[open]")) return;
    const typing = event.target.matches("input:not([type=radio]), select, textarea");
    if (event.key === "Escape" && typing) event.target.blur();
    if (typing) return;
    const act = (this.switch.checked || event.key === "?") && ACTIONS[event.key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act(this);
  }
}

const ACTIONS = {
  b: (keys) => keys.ticket.focus("buy"),
  s: (keys) => keys.ticket.focus("sell"),
  "[": (keys) => keys.chart.step(-1),
  "]": (keys) => keys.chart.step(1),
  "?": (keys) => keys.open(),
  "/": () => {
    $("#symbol-menu").open = true;
  },
};
