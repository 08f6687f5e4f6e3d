"""manage.py deadletter: what was set aside, and what to do about it."""

from typing import Any, Final

from django.core.management.base import CommandError, CommandParser
from rich.table import Table

from oms_project.adapters.dead_letters import Pause
from oms_project.management.terminal import TerminalCommand
from oms_project.rest import times
from orders import deadletters, wiring
from orders.deadletters import Letter, NotPossibleError

ACTIONS: Final = ("list", "show", "retry", "drop", "set-aside", "resume")


class Command(TerminalCommand):
    help = (
        "Look at records that no consumer could handle; send a command again, or close the case.\n"
        "A command sent again is decided at today's prices; one that was done is not done twice.\n"
        "Too many in a minute pause their partition: `resume` lets all of what stands in the log by\n"
        "now be set aside. Look first: if a deploy is to blame, undo it instead, and restart.\n"
        "A command that ends the engine each time is set aside by hand; restart the engine then.\n\n"
        "Examples:\n"
        "  manage.py deadletter list\n"
        "  manage.py deadletter list --all --json\n"
        "  manage.py deadletter show oms.commands/0/1234\n"
        "  manage.py deadletter retry oms.commands/0/1234\n"
        "  manage.py deadletter drop oms.commands/0/1234 --note 'test record' --yes\n"
        "  manage.py deadletter drop oms.commands/0 --note 'a flood'    # all that wait there\n"
        "  manage.py deadletter set-aside oms.commands/0/1234 --note 'ends the engine'\n"
        "  manage.py deadletter resume\n"
        "  manage.py deadletter resume oms.commands/0 --by olga --note 'a faulty producer'"
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=ACTIONS)
        parser.add_argument(
            "id",
            nargs="?",
            default="",
            help="topic/partition/offset of a letter (set-aside: of a command); resume: topic/partition",
        )
        parser.add_argument("--all", action="store_true", help="list: also those decided about")
        parser.add_argument("--limit", type=int, default=50, help="list: newest so many")
        parser.add_argument("--note", default="", help="drop, set-aside, resume: why")
        parser.add_argument("--by", default="operator", help="who decides, for the record")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        self.add_json(parser)

    def handle(self, *, action: str, **options: Any) -> None:
        if action == "list":
            self._list(options)
            return
        if action == "resume":
            self._resume(options)
            return
        if not options["id"]:
            raise CommandError(
                f"{action} needs the id of a letter: see `manage.py deadletter list`"
            )
        try:
            if action == "set-aside":
                self._set_aside(options)
                return
            if action == "drop" and options["id"].count("/") == 1:
                self._drop(deadletters.waiting_in(wiring.log(), options["id"]), options)
                return
            letter = deadletters.find(wiring.log(), options["id"])
            if action == "drop":
                self._drop([letter], options)
                return
            getattr(self, f"_{action}")(letter, options)
        except NotPossibleError as error:
            raise CommandError(str(error)) from error

    def _list(self, options: dict[str, Any]) -> None:
        found = deadletters.letters(wiring.log())
        waiting = sum(letter.state == deadletters.WAITING for letter in found)
        if not options["all"]:
            found = [letter for letter in found if letter.state == deadletters.WAITING]
        shown = found[-options["limit"] :]
        pauses = deadletters.pauses(wiring.log())
        if options["json"]:
            letters = [_values(one) for one in shown]
            paused = [_paused(one) for one in pauses]
            self.print_json({"waiting": waiting, "paused": paused, "letters": letters})
            return
        for pause in pauses:
            since = times.text(pause.since_ns)[:19]
            self.console.print(
                f"[bold red]{_where(pause)} is paused[/] at offset {pause.offset} since {since}:"
            )
            self.console.print(f"  {pause.reason}", markup=False)
            self.console.print(f"  → manage.py deadletter resume {_where(pause)}")
        if not shown:
            self.console.print("[green]No dead letters wait for a decision.")
            return
        table = Table("id", "at (UTC)", "key", "error", "reason", "state")
        for one in shown:
            colour = "yellow" if one.state == deadletters.WAITING else "dim"
            table.add_row(
                one.id, times.text(one.at_ns)[:19], one.key[:13], one.error, one.reason[:80],
                f"[{colour}]{one.state}",
            )  # fmt: skip
        self.console.print(table)
        self.console.print(f"{waiting} waiting; {len(shown)} of {len(found)} shown.")

    def _show(self, letter: Letter, options: dict[str, Any]) -> None:
        if options["json"]:
            self.print_json(_values(letter) | {"content": deadletters.content(letter)})
            return
        table = Table.grid(padding=(0, 2))
        for name, value in _values(letter).items():
            table.add_row(f"[bold]{name}", str(value), style=None)
        self.console.print(table)
        self.console.print(deadletters.content(letter), markup=False)

    def _retry(self, letter: Letter, options: dict[str, Any]) -> None:
        self._confirm(letter, "Send this again?", options)
        offset = deadletters.retry(
            wiring.log(), letter, now_ns=wiring.clock().now_ns(), actor=options["by"]
        )
        self._done(options, letter, f"Sent again at offset {offset}.", offset)

    def _drop(self, letters: list[Letter], options: dict[str, Any]) -> None:
        if not options["note"]:
            raise CommandError("drop needs --note: the next person will want to know why")
        first = letters[0]
        question = "Close this without doing anything?"
        if len(letters) > 1:
            question = f"The first of {len(letters)}. Close all of them without doing anything?"
        self._confirm(first, question, options)
        deadletters.drop(
            wiring.log(), letters, note=options["note"], now_ns=wiring.clock().now_ns(),
            actor=options["by"],
        )  # fmt: skip
        if options["json"]:
            self.print_json({"id": options["id"], "done": "Closed.", "letters": len(letters)})
        else:
            self.console.print(f"[green]Closed: {len(letters)}.")

    def _set_aside(self, options: dict[str, Any]) -> None:
        topic, partition, offset = _place(options["id"])
        if not options["note"]:
            raise CommandError("set-aside needs --note: the next person will want to know why")
        if not (options["yes"] or options["json"]):
            self._ask(f"Shall no engine ever decide {options['id']}?")
        letter = deadletters.set_aside(
            wiring.log(), topic, partition, offset, note=options["note"],
            now_ns=wiring.clock().now_ns(), actor=options["by"],
        )  # fmt: skip
        self._done(options, letter, "Set aside. Restart the engine if it runs.", None)

    def _resume(self, options: dict[str, Any]) -> None:
        log = wiring.log()
        found = deadletters.pauses(log)
        if options["id"]:
            found = [pause for pause in found if _where(pause) == options["id"]]
        if not found:
            raise CommandError(f"{options['id'] or 'No partition'}: not paused.")
        done = []
        for pause in found:
            if not (options["yes"] or options["json"]):
                self.console.print(
                    f"{_where(pause)} from {pause.offset}: {pause.reason}", markup=False
                )
                self._ask("Set aside what cannot be read, however much it is?")
            end = deadletters.resume(
                log, pause, note=options["note"], now_ns=wiring.clock().now_ns(),
                actor=options["by"],
            )  # fmt: skip
            done.append(_paused(pause) | {"before": end})
        if options["json"]:
            self.print_json({"resumed": done})
            return
        for one in done:
            self.console.print(
                f"[green]{one['topic']}/{one['partition']} goes on within a second; up to offset "
                f"{one['before']} there is no limit."
            )

    def _confirm(self, letter: Letter, question: str, options: dict[str, Any]) -> None:
        if options["yes"] or options["json"]:
            return
        self.console.print(f"{letter.id} {letter.error}: {letter.reason}", markup=False)
        self.console.print(deadletters.content(letter), markup=False)
        self._ask(question)

    def _ask(self, question: str) -> None:
        if input(f"{question} [y/N] ").strip().lower() != "y":
            raise CommandError("Nothing was done.")

    def _done(self, options: dict[str, Any], letter: Letter, text: str, offset: int | None) -> None:
        if options["json"]:
            self.print_json({"id": letter.id, "done": text, "offset": offset})
        else:
            self.console.print(f"[green]{text}")


def _values(letter: Letter) -> dict[str, Any]:
    return {
        "id": letter.id, "at": times.text(letter.at_ns), "topic": letter.topic,
        "partition": letter.partition, "offset": letter.offset, "key": letter.key,
        "error": letter.error, "reason": letter.reason, "state": letter.state,
        "by": letter.by, "note": letter.note,
    }  # fmt: skip


def _place(text: str) -> tuple[str, int, int]:
    topic, _, rest = text.partition("/")
    partition, _, offset = rest.partition("/")
    if not (partition.isdecimal() and offset.isdecimal()):
        raise CommandError(f"{text!r} is no topic/partition/offset, as oms.commands/0/1234 is")
    return topic, int(partition), int(offset)


def _where(pause: Pause) -> str:
    return f"{pause.topic}/{pause.partition}"


def _paused(pause: Pause) -> dict[str, Any]:
    return {
        "topic": pause.topic, "partition": pause.partition, "offset": pause.offset,
        "since": times.text(pause.since_ns), "reason": pause.reason,
    }  # fmt: skip
