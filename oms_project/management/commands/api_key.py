"""manage.py api_key: what programs come in with, from the command line."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError, CommandParser
from rich.table import Table

from oms_project.access import keys, users
from oms_project.access.errors import KeyFormError
from oms_project.access.models import ApiKey
from oms_project.management.terminal import TerminalCommand


class Command(TerminalCommand):
    help = (
        "Make, list, turn over and revoke API keys.\n\n"
        "Examples:\n"
        "  manage.py api_key create alice --label 'maker, host 3' --scope read --scope trade\n"
        "  manage.py api_key create alice --label year --scope trade --address 203.0.113.7 --days 366\n"
        '  manage.py api_key create alice --label signer --scope read --public-key "$(cat key.pem)"\n'
        "  manage.py api_key list --user alice\n"
        "  manage.py api_key rotate oms_… --overlap-h 24\n"
        "  manage.py api_key revoke oms_…            # its sockets end within a second\n"
        "  manage.py api_key revoke --user alice     # all of a user's"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        create = acts.add_parser("create", help="the secret is printed once")
        create.add_argument("username")
        create.add_argument("--label", required=True, help="what it is for")
        create.add_argument("--scope", action="append", choices=[*keys.SCOPES], required=True)
        create.add_argument(
            "--account", action="append", default=[], help="id; none: all of theirs"
        )
        create.add_argument("--address", action="append", default=[], help="address or network")
        create.add_argument("--days", type=int, default=keys.DAYS_DEFAULT)
        create.add_argument("--bearer", action="store_true", help="may be sent unsigned")
        create.add_argument("--public-key", default="", help="Ed25519: PEM, hex or base64")
        rotate = acts.add_parser("rotate", help="a new secret; the one before stays for a while")
        rotate.add_argument("key_id")
        rotate.add_argument("--overlap-h", type=int, default=keys.OVERLAP_H_DEFAULT)
        rotate.add_argument("--public-key", default="")
        listed = acts.add_parser("list", help="all keys, or a user's")
        listed.add_argument("--user", default="")
        revoke = acts.add_parser("revoke", help="for ever")
        revoke.add_argument("key_id", nargs="*")
        revoke.add_argument("--user", default="", help="every key of theirs")
        for one in (create, rotate, listed, revoke):
            self._add_json(one)

    def _add_json(self, parser: ArgumentParser) -> None:
        self.add_json(parser)

    def handle(self, *, act: str, json: bool, **options: Any) -> None:
        try:
            getattr(self, f"_{act}")(json, options)
        except KeyFormError as error:
            raise CommandError(f"{error.field}: {error}") from error

    def _create(self, json: bool, options: dict[str, Any]) -> None:
        owner = users.by_name(options["username"])
        if owner is None:
            raise CommandError(f"There is no user {options['username']!r}.")
        public = options["public_key"]
        made = keys.make(
            owner, label=options["label"], scopes=options["scope"], accounts=options["account"],
            addresses=options["address"], days=options["days"], bearer=options["bearer"],
            kind=ApiKey.ED25519 if public else ApiKey.HMAC, public_key=public,
        )  # fmt: skip
        self._tell(made.key, made.secret, json)

    def _rotate(self, json: bool, options: dict[str, Any]) -> None:
        key = self._one(options["key_id"])
        secret = keys.rotate(key, overlap_h=options["overlap_h"], public_key=options["public_key"])
        self._tell(key, secret, json)

    def _tell(self, key: ApiKey, secret: str, json: bool) -> None:
        if json:
            self.print_json({**keys.shown(key), "secret": secret})
            return
        self.stdout.write(f"key     {key.pk}")
        if secret:
            self.stdout.write(f"secret  {secret}   (shown once)")

    def _list(self, json: bool, options: dict[str, Any]) -> None:
        where = {"user__username": options["user"]} if options["user"] else {}
        found = [{"owner": one.user.username, **keys.shown(one)} for one in keys.rows(**where)]
        if json:
            self.print_json({"keys": found})
            return
        table = Table("key", "owner", "label", "scopes", "addresses", "state", "ends", "last used")
        for one in found:
            used = f"{one['used_at']:%Y-%m-%d %H:%M}" if one["used_at"] else "never"
            table.add_row(
                one["key_id"], one["owner"], one["label"], ", ".join(one["scopes"]),
                ", ".join(one["addresses"]) or "any", one["state"], f"{one['expires_at']:%Y-%m-%d}",
                used,
            )  # fmt: skip
        self.console.print(table)

    def _revoke(self, json: bool, options: dict[str, Any]) -> None:
        if bool(options["key_id"]) == bool(options["user"]):
            raise CommandError("Name keys, or --user.")
        found = [self._one(one) for one in options["key_id"]]
        found += keys.rows(user__username=options["user"]) if options["user"] else []
        count = keys.revoke(found, by="manage.py")
        if json:
            self.print_json({"revoked": count})
        else:
            self.stdout.write(f"{count} revoked; {len(found) - count} were over before.")

    def _one(self, key_id: str) -> ApiKey:
        found = keys.rows(pk=key_id)
        if not found:
            raise CommandError(f"There is no key {key_id!r}.")
        return found[0]
