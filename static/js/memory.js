/** What survives a reload and Back: kept for this browser tab, apart for each account. */

export class Memory {
  constructor(...scope) {
    this.scope = ["oms", ...scope].join(" ");
  }

  /** Return what was kept under name, or null. */
  get(name) {
    const text = sessionStorage.getItem(`${this.scope} ${name}`);
    return text === null ? null : JSON.parse(text);
  }

  set(name, value) {
    sessionStorage.setItem(`${this.scope} ${name}`, JSON.stringify(value));
  }
}
