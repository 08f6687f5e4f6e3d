/**
 * A table whose rows are patched cell by cell and stay the same elements for as long as their item
 * is there: a row never goes away under a pressed mouse or a focused button.
 */

import { $, arrange } from "./dom.js";

const AIM_MS = 5_000; // a pointer that rests that long does not aim any more

/** Rows must not move while somebody presses in the blotter or aims at one of its buttons. */
export class Hold {
  /** released(): called once rows may move again. */
  constructor(root, released) {
    this.released = released;
    this.pressed = false;
    this.aimed = false;
    root.addEventListener("pointerdown", () => (this.pressed = true));
    for (const end of ["pointerup", "pointercancel", "blur"]) addEventListener(end, () => this.pressed && this.release());
    root.addEventListener("pointermove", (event) => this.aim(event));
    root.addEventListener("pointerleave", () => this.aimed && this.release());
  }

  aim(event) {
    if (event.pointerType === "mouse" && event.target.closest(".act")) {
      this.aimed = true;
      clearTimeout(this.resting);
      this.resting = setTimeout(() => this.release(), AIM_MS);
    } else if (this.aimed) {
      this.release();
    }
  }

  /** Let go behind the click that belongs to the press: it still finds what it was meant for. */
  release() {
    clearTimeout(this.resting);
    setTimeout(() => {
      this.pressed = false;
      this.aimed = false;
      this.released();
    });
  }

  get on() {
    return this.pressed || this.aimed;
  }
}

export class Table {
  /**
   * columns: [{class, make(cell, item), show(cell, item)}]; make once, show whenever the item changed.
   * key(item): what a row is about; hold: see Hold.
   */
  constructor(name, { columns, key, hold }) {
    this.name = name;
    this.body = $(`#${name}-rows`);
    this.columns = columns;
    this.key = key;
    this.hold = hold;
    this.rows = new Map();
    this.begun = false;
  }

  /** Show items in this order; while rows are held only their cells change. */
  show(items, total = items.length) {
    const wanted = new Map(items.map((item) => [this.key(item), item]));
    for (const [id, row] of this.rows) {
      const item = wanted.get(id);
      if (item) this.patch(row, item);
      else this.close(row);
    }
    if (this.hold.on) return;
    this.arrange(wanted);
    $(`#${this.name}-empty`).hidden = total > 0;
    $(`#${this.name}-table`).hidden = total === 0;
  }

  patch(row, item) {
    if (row.item === item) return;
    row.item = item;
    this.columns.forEach((column, index) => column.show?.(row.cells[index], item));
  }

  /** What a row was about is gone, the row is not yet: its buttons do nothing any more. */
  close(row) {
    for (const button of row.element.querySelectorAll("button")) button.disabled = true;
  }

  arrange(wanted) {
    if (!this.begun) this.body.replaceChildren(); // the server's rows, once
    this.begun = true;
    for (const [id, row] of this.rows) if (!wanted.has(id)) this.remove(id, row);
    arrange(this.body, [...wanted].map(([id, item]) => (this.rows.get(id) ?? this.make(id, item)).element));
  }

  make(id, item) {
    const element = document.createElement("tr");
    element.dataset.key = id;
    const cells = this.columns.map((column) => {
      const cell = document.createElement("td");
      if (column.class) cell.className = column.class;
      column.make?.(cell, item);
      return cell;
    });
    element.append(...cells);
    const row = { element, cells, item: null };
    this.rows.set(id, row);
    this.patch(row, item);
    return row;
  }

  /** The focus of a row that goes moves to the same button of its neighbour, or to the table. */
  remove(id, { element }) {
    this.rows.delete(id);
    const focused = element.contains(document.activeElement);
    const neighbour = element.nextElementSibling ?? element.previousElementSibling;
    element.remove();
    if (focused) (neighbour?.querySelector("button:not(:disabled)") ?? this.body.closest(".scroll")).focus();
  }
}
