"""Django's admin for accounts and instruments: what is changed there is sent to the log."""

from orders.admin.accounts import AccountAdmin
from orders.admin.instruments import InstrumentAdmin

__all__ = ("AccountAdmin", "InstrumentAdmin")
