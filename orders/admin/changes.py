"""A change in the admin is a command in the log. What accounts and instruments share of that.

Rules of this file:
- Nothing here writes the row that is shown: the projector does, when the engine has the change in
  force. A page says what was sent, where it is in the log, and what became of it.
- A form is filled from what was asked for last, in force or not, and says which that was: one that
  is older than the newest wish is refused, so nobody undoes what they have not seen.
- A form sent twice asks once: the id is made with the form.
- Rights go by desk role, also for superusers; there is no delete.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from django import forms
from django.contrib import admin, messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from oms_project.access import actors
from oms_project.access.rights import Action, user_may
from oms_project.kernel import ids
from oms_project.kernel.errors import TransportError, UnknownOutcomeError
from oms_project.rest import times
from orders import wiring
from orders.adapters import change_requests
from orders.adapters.change_requests import Asked
from orders.admin.fields import LineField
from orders.domain import commands, events
from orders.queries import versions

SHOWN_MAX: Final = 10
_REFUSALS: Final = (events.ChangeRefused, events.AdjustmentRefused, events.CommandSetAside)
HIDDEN: Final = ("request_id", "seen")
WHY: Final = ("reason", "confirm")
STOPPED: Final = "HALTED"
PENDING: Final = "pending"
IN_FORCE: Final = "in force"
NO_EFFECT: Final = "no effect"
REFUSED: Final = "refused"
UNKNOWN: Final = "unknown"
MEANINGS: Final = {
    PENDING: "Sent to the log; the engine does not have it yet.",
    IN_FORCE: "The engine has it.",
    NO_EFFECT: "The engine found nothing to change.",
    REFUSED: "The engine refused it: something newer is in force, or it cannot be. Look, ask again.",
    UNKNOWN: "Nobody knows whether the log has it. Sending it again is safe.",
}
LOG_DOWN: Final = "The log does not answer. Nothing was sent; try again."
LOG_UNKNOWN: Final = (
    "The log broke off: nobody knows whether it has the change. Send this form again: if it has, "
    "the second one changes nothing."
)


# ------------------------------------------------------------------ what became of a wish
def state_of(asked: Asked) -> str:
    """Return what became of a request: the events of its command tell."""
    if asked.partition is None or asked.offset is None:
        return UNKNOWN
    heads = wiring.store().heads(asked.partition, asked.offset - 1, 1)
    if not heads:
        return PENDING
    offset, stream, last_seq = heads[0]
    if offset != asked.offset:
        return NO_EFFECT
    told = [
        event
        for chunk in wiring.store().chunks_holding(stream, (last_seq,))
        for event in versions.told_in(chunk)
    ]
    return REFUSED if any(isinstance(event, _REFUSALS) for event in told) else IN_FORCE


def next_version(asked: Asked, in_force: Callable[[], int]) -> int:
    """Return the version a change will be: behind what is in force and what is on its way.

    0, which the engine takes as the next, if the store cannot tell: whoever halts an account must
    not have to wait for what is shown.
    """
    try:
        under_way = sum(
            one.id != asked.id and state_of(one) in (PENDING, UNKNOWN)
            for one in change_requests.newest(asked.kind, asked.target, SHOWN_MAX)
        )
        return in_force() + under_way + 1
    except TransportError:
        return 0


def open_wish(kind: str, target: str) -> Asked | None:
    """Return the newest request for *target* if it is still on its way."""
    newest = change_requests.newest(kind, target, 1)
    return newest[0] if newest and state_of(newest[0]) == PENDING else None


def history(*kinds: str, target: str) -> list[dict[str, Any]]:
    """Return the newest requests as a page shows them."""
    found = [one for kind in kinds for one in change_requests.newest(kind, target, SHOWN_MAX)]
    found.sort(key=lambda one: one.at_ns, reverse=True)
    return [_row(one, state_of(one)) for one in found[:SHOWN_MAX]]


def _row(asked: Asked, state: str) -> dict[str, Any]:
    known = asked.offset is not None
    return {
        "at": times.text(asked.at_ns)[:19].replace("T", " "),
        "actor": actors.shown(asked.actor), "text": asked.text, "state": state, "meaning": MEANINGS[state],
        "place": f"{asked.partition} / {asked.offset}" if known else "",
    }  # fmt: skip


# ------------------------------------------------------------------ sending
def send(asked: Asked, command: commands.Command, *, account_id: str = "") -> tuple[Asked, bool]:
    """Send *command* unless its request was sent before; return the request and whether it was new.

    Raises:
        TransportError: the log did not take it, or (UnknownOutcomeError) nobody knows.
    """
    noted = change_requests.begin(asked)
    if noted.offset is not None:
        return noted, False
    try:
        offset = wiring.gateway().broadcast(command, account_id=account_id, actor=asked.actor)
    except UnknownOutcomeError:
        raise
    except TransportError:
        change_requests.forget(asked.id)
        raise
    # Without an account it went to every partition; the offset is the last one's.
    partitions = wiring.log().partitions
    partition = ids.partition_of(account_id, partitions) if account_id else partitions - 1
    change_requests.sent(asked.id, partition, offset)
    return msgspec.structs.replace(noted, partition=partition, offset=offset), True


def tell(request: HttpRequest, asked: Asked, *, new: bool) -> None:
    """Say where the change is, and no more than that."""
    text = "to the log"
    if new:
        text = f"Sent {text}: {asked.text}. In force in a moment; see below what became of it."
        messages.success(request, text)
    else:
        messages.warning(request, f"This form was sent before, {text}. Nothing was sent again.")


def trouble_of(error: TransportError) -> str:
    return LOG_UNKNOWN if isinstance(error, UnknownOutcomeError) else LOG_DOWN


class RequestForm(forms.Form):
    """A form that asks once: what account, instrument and money forms begin with."""

    request_id = forms.UUIDField(widget=forms.HiddenInput)
    trouble = ""

    def check_once(self, wanted: str) -> Asked | None:
        """Return the request if this form was sent before.

        Raises:
            forms.ValidationError: it was sent before with another content, or the log is away.
        """
        if self.trouble:
            raise forms.ValidationError(self.trouble)
        earlier = change_requests.find(str(self.cleaned_data["request_id"]))
        if earlier is None or earlier.offset is None:
            return None
        if earlier.wanted != wanted:
            raise forms.ValidationError(
                f"This form was sent before ({earlier.text}). Open the page again to ask for more."
            )
        return earlier


class LoggedForm(RequestForm, forms.ModelForm):
    """A row's form whose change goes to the log. Subclasses know their terms, a msgspec struct."""

    seen = forms.CharField(widget=forms.HiddenInput, required=False)
    reason = LineField(
        max_length=200, required=False,
        help_text="Why, for whoever asks later. Needed for every change but a name.",
    )  # fmt: skip
    confirm = forms.BooleanField(
        required=False, label="Yes, halt it",
        help_text="Needed to halt: from then on every new order is refused.",
    )  # fmt: skip
    editable: frozenset[str] = frozenset()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.terms: Any = None
        self.earlier: Asked | None = None
        self.basis, self.newest = self.newest_terms()
        self.initial |= {"request_id": wiring.ids().new(), "seen": self.newest}
        self.initial |= self.values_of(self.basis)
        for name, field in self.fields.items():
            field.disabled = name not in (*self.editable, *HIDDEN, *WHY)

    def newest_terms(self) -> tuple[Any, str]:
        """Return what was asked for last (None for a new row) and what it is known by."""
        raise NotImplementedError

    def values_of(self, terms: Any) -> dict[str, Any]:
        """Return the fields' values for *terms*."""
        raise NotImplementedError

    def terms_of(self, cleaned: Mapping[str, Any]) -> Any:
        """Return the terms the form asks for.

        Raises:
            forms.ValidationError: they do not fit together.
        """
        raise NotImplementedError

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        if self.errors:
            return cleaned
        self.terms = self.terms_of(cleaned)
        self.earlier = self.check_once(self.wanted)
        if self.earlier is None and self.basis is not None:
            self._ask_why(cleaned)
        if self.earlier is None and cleaned["seen"] != self.newest:
            raise forms.ValidationError(
                "This was changed after you opened it. Open the page again and look at what is "
                "asked for now."
            )
        return cleaned

    def _ask_why(self, cleaned: Mapping[str, Any]) -> None:
        """Nobody halts by a slip, and whoever moves a state or a limit says why."""
        before, after = self.shown(self.basis), self.shown(self.terms)
        moved = {label for label in after if before.get(label) != after[label]} - {"name"}
        if moved and not cleaned["reason"]:
            self.add_error("reason", "Say why: others will ask.")
        if "state" in moved and after["state"] == STOPPED and not cleaned["confirm"]:
            self.add_error("confirm", "Tick this to halt it.")

    @property
    def wanted(self) -> str:
        return msgspec.json.encode(self.terms, order="deterministic").decode()

    def text(self) -> str:
        """Return what is asked for, in words: each field that changes."""
        before = self.shown(self.basis) if self.basis is not None else {}
        text = "; ".join(
            f"{label} {before[label]} → {value}" if before else f"{label} {value}"
            for label, value in self.shown(self.terms).items()
            if before.get(label) != value
        )
        why = self.cleaned_data.get("reason")
        return f"{text} ({why})" if text and why else text

    @staticmethod
    def shown(terms: Any) -> dict[str, str]:
        """Return label -> text of each field of *terms*."""
        raise NotImplementedError


# ------------------------------------------------------------------ pages
class LoggedAdmin(admin.ModelAdmin):
    """A page of the admin that writes nothing itself. adds: what one must be allowed to ask for new rows;
    editable: what one is allowed -> the fields it is about (access/rights.py).
    """

    actions = None
    list_per_page = 50
    change_form_template = "admin/logged_change_form.html"
    kind = ""
    adds: Action | None = None
    editable: Mapping[Action, frozenset[str]] = {}

    # -------------------------------------------------------------- who may
    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return user_may(request.user, Action.WATCH)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.adds is not None and user_may(request.user, self.adds)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(self.fields_for(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def fields_for(self, request: HttpRequest, obj: Any) -> frozenset[str]:
        """Return the fields this user may change on *obj* (None: a new one)."""
        found = (names for action, names in self.editable.items() if user_may(request.user, action))
        return frozenset().union(*found)

    # -------------------------------------------------------------- the form
    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> type[forms.ModelForm]:
        form = super().get_form(request, obj, change, **kwargs)
        trouble = getattr(request, "log_trouble", "")
        values = {"editable": self.fields_for(request, obj), "trouble": trouble}
        return type(form.__name__, (form,), values)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:  # fmt: skip
        # Without Django's transaction around it: nothing is written but the note of the request,
        # and a log that hangs must not hold the database's write lock.
        context = {**(extra_context or {}), **self.context_of(request, object_id)}
        try:
            return self._changeform_view(request, object_id, form_url, context)
        except TransportError as error:
            if request.method != "POST":
                raise
            request.log_trouble = trouble_of(error)  # type: ignore[attr-defined]
        response = self._changeform_view(request, object_id, form_url, context)
        response.status_code = 503
        return response

    def context_of(self, request: HttpRequest, object_id: str | None) -> dict[str, Any]:
        """Return what the template shows beside the form."""
        try:
            requests = history(self.kind, target=object_id) if object_id else []
        except TransportError:
            return {"requests": [], "store_away": True}
        return {"requests": requests}

    # -------------------------------------------------------------- sending
    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Send what is asked for to the log; the row is the projector's."""
        if form.earlier is not None:
            obj.pk = form.earlier.target
            obj.sent = form.earlier, False
            return
        if change and form.terms == form.basis:
            obj.sent = None
            return
        asked = Asked(
            str(form.cleaned_data["request_id"]), self.kind, self.target_of(obj, form),
            actors.of_user(request.user.pk, request.user.get_username()), wiring.clock().now_ns(), form.text(), form.wanted,
        )  # fmt: skip
        obj.sent = self.ask(obj, form, asked)

    def target_of(self, obj: Any, form: Any) -> str:
        """Return the id of the row that is asked for."""
        raise NotImplementedError

    def ask(self, obj: Any, form: Any, asked: Asked) -> tuple[Asked, bool]:
        """Make the command and `send` it."""
        raise NotImplementedError

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> str:
        return form.text()

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return super().log_change(request, obj, message) if _new(obj) else None

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return super().log_addition(request, obj, message) if _new(obj) else None

    def response_add(self, request: HttpRequest, obj: Any, *_: Any) -> HttpResponse:
        return self.response_change(request, obj)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        if obj.sent is None:
            messages.info(request, "Nothing was changed, so nothing was sent.")
        else:
            tell(request, obj.sent[0], new=obj.sent[1])
        return HttpResponseRedirect(self.address_of(obj))

    def address_of(self, obj: Model) -> str:
        meta = self.opts
        return reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[obj.pk])


def _new(obj: Any) -> bool:
    return obj.sent is not None and obj.sent[1]
