/** Whether orders may be sent here and now, and what to say when they may not. Pure reads of the store. */

const ACCOUNT = {
  HALTED: (name) => `${name} is halted: new orders are refused, open ones can be canceled. Ask the risk desk.`,
  CANCEL_ONLY: (name) => `${name} may only cancel orders now: new orders are refused. Ask the risk desk.`,
  REDUCE_ONLY: (name) => `${name} may only reduce positions now: orders that open or add are refused.`,
};
const SYMBOL = {
  HALTED: (symbol) => `${symbol} is halted: new orders are refused, open ones can be canceled.`,
  DELISTED: (symbol) => `${symbol} is delisted: new orders are refused, open ones can be canceled.`,
};

/** Return why every new order would be refused, or "". */
export function standing(store) {
  const { accountState: state, accountName: name, symbol, instrument, limits } = store;
  if (store.signedOut) return store.signedOut;
  if (state === "HALTED" || state === "CANCEL_ONLY") return ACCOUNT[state](name);
  if (instrument.state !== "TRADING") return (SYMBOL[instrument.state] ?? SYMBOL.HALTED)(symbol);
  if (limits.restricted_symbols?.includes(symbol)) return `${name} may not trade ${symbol}. Ask the risk desk.`;
  return "";
}

/** Return what everybody on this page must know: what stands above, or that one may only reduce. */
export function notice(store) {
  const text = standing(store);
  if (text || store.accountState !== "REDUCE_ONLY") return text;
  return ACCOUNT.REDUCE_ONLY(store.accountName);
}
