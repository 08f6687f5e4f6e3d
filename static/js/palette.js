/** Which colours stand for up and down: chosen once for this browser; boot.js puts them on before the first paint. */

import { $$ } from "./dom.js";

const KEPT = "oms.palette";

/** Wire the choices of the user menu; whoever draws by itself listens to "palette". */
export function palette() {
  for (const input of $$("input[name=palette]")) {
    input.checked = input.value === (localStorage.getItem(KEPT) ?? "");
    input.addEventListener("change", () => {
      localStorage.setItem(KEPT, input.value);
      document.documentElement.dataset.palette = input.value;
      dispatchEvent(new Event("palette"));
    });
  }
}
