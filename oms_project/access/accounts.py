"""The only file that reads and writes the accounts' table."""

import json
from collections.abc import Sequence
from typing import Final

from django.db import connections, router, transaction

from oms_project.access.models import Account
from oms_project.kernel.ports import AccountRow

_UPSERT: Final = """
INSERT INTO access_account (id, name, state, limits, seq) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, state = excluded.state,
  limits = excluded.limits, seq = excluded.seq
WHERE excluded.seq > access_account.seq
"""


def save(rows: Sequence[AccountRow]) -> None:
    """Write accounts as they are in force; an older one (seq) changes nothing."""
    if not rows:
        return
    using = router.db_for_write(Account)
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.executemany(
            _UPSERT, [(row.account_id, row.name, row.state, row.limits, row.seq) for row in rows]
        )


def propose(account_id: str, name: str, state: str, limits: str) -> None:
    """Write a new account whose command is on its way; one that is there stays as it is."""
    Account.objects.get_or_create(
        id=account_id, defaults={"name": name, "state": state, "limits": json.loads(limits)}
    )


def load(account_ids: Sequence[str]) -> list[AccountRow]:
    """Return the accounts with these ids, by name."""
    rows = Account.objects.filter(pk__in=account_ids).order_by("name")
    return [
        AccountRow(row.pk, row.name, row.state, json.dumps(row.limits), row.seq) for row in rows
    ]


def load_all() -> list[AccountRow]:
    """Return every account, by name: for operators and background work."""
    return load(Account.objects.values_list("id", flat=True))
