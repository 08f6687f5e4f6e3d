/** Addresses of our own pages. Each names the account it is about: two tabs never mix them up. */

import { boot } from "./dom.js";

/** Return the trading page of a symbol, on this page's account. */
export function symbolPage(symbol) {
  const { account } = boot();
  return account ? `/a/${account}/trade/${symbol}/` : `/trade/${symbol}/`;
}

export function orderPage(orderId) {
  return `/orders/${orderId}/`;
}
