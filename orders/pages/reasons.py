"""What a refusal means in plain words and what to do about it. Codes are the API's."""

from typing import Final

TEXTS: Final = {
    "unknown_symbol": "This symbol is not traded here.",
    "instrument_not_tradable": "Trading in this symbol is halted.",
    "restricted_symbol": "The account may not trade this symbol. Ask the risk desk.",
    "account_suspended": "The account is halted. Ask the risk desk.",
    "account_cancel_only": "The account may only cancel orders now.",
    "account_reduce_only": "The account may only reduce positions now.",
    "reduce_only": "It would open or flip the position. Make it no larger than the position.",
    "quantity_min": "The quantity is below the smallest allowed.",
    "quantity_max": "The quantity is above the largest allowed.",
    "min_notional": "The order is worth too little: raise the quantity.",
    "max_notional": "The order is worth too much: split it.",
    "no_reference_price": "There is no price for this symbol yet. Try again when the book is live.",
    "market_data_stale": "Prices are too old to check the order. Try again when the book is live.",
    "price_collar": "The price is too far from the market. Move it closer.",
    "max_open_orders": "The account has as many open orders as it may. Cancel one first.",
    "max_balance": "The account would come to own more of the asset than the books can count.",
    "max_order_value": "The order is above the account's limit. Make it smaller.",
    "insufficient_balance": "Not enough free balance, fee included. "
    "Lower the quantity or cancel an order.",
    "duplicate_client_order_id": "An order with this client order id exists already.",
    "requested": "You asked for it.",
    "would_trigger": "Its trigger price is on the wrong side of the market: it would be sent at once.",
    "expired": "Its time was over.",
    "already_expired": "Its time was over before it could be sent.",
    "deadline_passed": "Its deadline passed before it could be sent.",
    "no_market": "The venue had no market for it.",
    "no_liquidity": "The book had nothing more at its price, so the rest was canceled.",
    "fok_unfilled": "It could not be filled completely at once (FOK).",
    "too_late": "It was too late: the order is closed already.",
    "cancel_pending": "A cancel is under way already; its answer is this one's too.",
    "overfill": "The venue filled more than was ordered.",
    "rejected_after_trade": "The venue traded an order that it, or we, had refused.",
    "trade_mismatch": "The venue reported two trades under one number.",
    "external": "A trade of an order that is not known here.",
    "unknown_order": "The venue does not know the order.",
    "atomic_batch": "Another order of its all-or-nothing batch was refused.",
}


def text(code: str) -> str:
    """Return a sentence for *code*; one we have no words for is spelled out."""
    return TEXTS.get(code) or f"{code.replace('_', ' ').capitalize()}."
