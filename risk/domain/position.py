"""Position and profit by average cost, netting. Integers: cost and profit in ticks × lots."""

import msgspec


class Position(msgspec.Struct, array_like=True, gc=False):
    """Net position of one account in one instrument.

    net_lots: signed; cost: signed, what the open part cost; realized: profit taken so far.
    Identity: realized - cost = -(Σ signed lots × ticks of all fills), remainders included.
    """

    net_lots: int = 0
    cost: int = 0
    realized: int = 0

    def fill(self, signed_lots: int, ticks: int) -> None:
        """Book a fill: open or increase at its price, reduce at average cost, flip in two parts.

        The cost freed by a reduction is rounded towards zero; the remainder stays with the open part.
        """
        net = self.net_lots
        if net == 0 or (net > 0) == (signed_lots > 0):
            self.net_lots = net + signed_lots
            self.cost += signed_lots * ticks
            return
        closed = min(abs(signed_lots), abs(net))
        sign = 1 if net > 0 else -1
        freed = abs(self.cost) * closed // abs(net)
        freed = freed if self.cost >= 0 else -freed
        self.realized += sign * closed * ticks - freed
        self.cost -= freed
        self.net_lots = net - sign * closed
        rest = signed_lots + sign * closed
        if rest:
            self.net_lots = rest
            self.cost = rest * ticks

    def unrealized(self, mark_ticks: int) -> int:
        """Return what closing at *mark_ticks* would make, ticks × lots."""
        return mark_ticks * self.net_lots - self.cost
