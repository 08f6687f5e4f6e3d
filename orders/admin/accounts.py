"""Accounts in the admin: opened by an admin, limited and switched by a risk officer, funded by an
admin. Each change is a command; see changes.py.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from marketdata import wiring as market
from marketdata.domain.instrument import UNITS_MAX, units_text
from oms_project.access import accounts, actors
from oms_project.access.models import Account
from oms_project.access.rights import Action, user_may
from oms_project.kernel.errors import TransportError
from oms_project.kernel.ports import BalanceRow
from oms_project.kernel.words import AccountState
from orders import wiring
from orders.adapters.change_requests import Asked
from orders.admin import changes
from orders.admin.fields import LineField, UnitsField
from orders.domain import commands
from orders.queries import versions
from risk.domain.limits import Limits

KIND: Final = "account"
ADJUSTMENT: Final = "adjustment"
OPEN_ORDERS_MAX: Final = 1_000_000
LIMIT_FIELDS: Final = frozenset({"max_open_orders", "max_order_value", "restricted_symbols"})
STATE_HELP: Final = (
    "ACTIVE trades · REDUCE_ONLY may only make positions smaller · CANCEL_ONLY may only cancel · "
    "HALTED does nothing. Fills of what is at the venue are booked in every state."
)


class Terms(msgspec.Struct, frozen=True):
    """What SetAccount says of an account."""

    name: str
    state: AccountState
    limits: Limits


def row_terms(account: Account) -> Terms:
    """Return the account as it is in force."""
    limits = msgspec.convert(account.limits or {}, Limits)
    return Terms(account.name, AccountState(account.state), limits)


class AccountForm(changes.LoggedForm):
    """An account's terms, typed."""

    name = LineField(max_length=64)
    state = forms.ChoiceField(
        choices=[(state.value, state.value) for state in AccountState], help_text=STATE_HELP
    )
    max_open_orders = forms.IntegerField(
        min_value=0, max_value=OPEN_ORDERS_MAX, required=False,
        help_text="Orders that are not closed. 0 or empty: no limit.",
    )  # fmt: skip
    max_order_value = UnitsField(
        required=False,
        help_text="Worst-case value of one order in its quote asset, like 100000. 0: no limit.",
    )
    restricted_symbols = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="These may not be traded on this account.",
    )

    class Meta:
        model = Account
        fields = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = set(market.listings())
        if self.basis is not None:
            known |= set(self.basis.limits.restricted_symbols)
        if "restricted_symbols" in self.fields:
            choices = [(symbol, symbol) for symbol in sorted(known)]
            self.fields["restricted_symbols"].choices = choices  # type: ignore[attr-defined]

    def newest_terms(self) -> tuple[Terms | None, str]:
        if self.instance._state.adding:
            return None, ""
        wish = changes.open_wish(KIND, self.instance.pk)
        if wish is not None:
            return msgspec.json.decode(wish.wanted, type=Terms), wish.id
        return row_terms(self.instance), f"seq {self.instance.seq}"

    def values_of(self, terms: Terms | None) -> dict[str, Any]:
        # A new account is halted until a risk officer gives it limits: two people open an account.
        terms = terms or Terms("", AccountState.HALTED, Limits())
        return {
            "name": terms.name,
            "state": terms.state.value,
            "max_open_orders": terms.limits.max_open_orders,
            "max_order_value": terms.limits.max_order_value,
            "restricted_symbols": list(terms.limits.restricted_symbols),
        }

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if Account.objects.filter(name__iexact=name).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError("Another account has this name.")
        return name

    def terms_of(self, cleaned: Mapping[str, Any]) -> Terms:
        limits = Limits(
            max_open_orders=cleaned.get("max_open_orders") or 0,
            max_order_value=cleaned.get("max_order_value") or 0,
            restricted_symbols=tuple(sorted(cleaned.get("restricted_symbols") or ())),
        )
        state = AccountState(cleaned.get("state") or AccountState.HALTED)
        return Terms(cleaned["name"], state, limits)

    @staticmethod
    def shown(terms: Terms) -> dict[str, str]:
        limits = terms.limits
        value = units_text(limits.max_order_value) if limits.max_order_value else "no limit"
        return {
            "name": terms.name,
            "state": terms.state.value,
            "open orders": str(limits.max_open_orders or "no limit"),
            "order value": value,
            "restricted symbols": ", ".join(limits.restricted_symbols) or "none",
        }


class AdjustmentForm(changes.RequestForm):
    """A credit or a debit, booked once."""

    asset = forms.ChoiceField()
    amount = UnitsField(signed=True, help_text="Credit like 1000.5, debit like -1000.5.")
    reason = LineField(max_length=200, help_text="Kept with the booking, for the audit.")

    def __init__(self, balances: Mapping[str, BalanceRow], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._balances = balances
        pairs = [one.instrument for one in market.listings().values()]
        assets = {one.base for one in pairs} | {one.quote for one in pairs} | set(balances)
        self.fields["asset"].choices = [(asset, asset) for asset in sorted(assets)]  # type: ignore[attr-defined]
        self.initial["request_id"] = wiring.ids().new()

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors or self.check_once(self.wanted):
            return cleaned
        asset, amount = cleaned["asset"], cleaned["amount"]
        balance = self._balances.get(asset)
        free, external = (balance.free, balance.external) if balance else (0, 0)
        if amount < 0 and free + amount < 0:
            self.add_error("amount", f"Only {units_text(free)} {asset} are free.")
        elif abs(external - amount) > UNITS_MAX:
            self.add_error("amount", "More than the books can hold.")
        return cleaned

    @property
    def wanted(self) -> str:
        terms = [self.cleaned_data[name] for name in ("asset", "amount", "reason")]
        return msgspec.json.encode(terms).decode()

    def text(self) -> str:
        cleaned = self.cleaned_data
        sign = "+" if cleaned["amount"] > 0 else ""
        return f"{sign}{units_text(cleaned['amount'])} {cleaned['asset']} ({cleaned['reason']})"


@admin.register(Account)
class AccountAdmin(changes.LoggedAdmin):
    form = AccountForm
    kind = KIND
    change_form_template = "admin/access/account/change_form.html"
    list_display = ("name", "state", "change_on_its_way", "max_open_orders", "max_order_value",
                    "restricted_symbols")  # fmt: skip
    list_filter = ("state",)
    search_fields = ("name", "id")
    adds = Action.REFER
    editable = {Action.LIMIT: LIMIT_FIELDS | {"state"}, Action.REFER: frozenset({"name"})}

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        hidden = changes.HIDDEN if obj is None or self.has_change_permission(request, obj) else ()
        if obj is None:
            text = "It opens HALTED: a risk officer gives it limits and makes it ACTIVE."
            return ((None, {"fields": ("name", *hidden), "description": text}),)
        limits = ("max_open_orders", "max_order_value", "restricted_symbols")
        shown = ((None, {"fields": ("name", "state", *hidden)}), ("Limits", {"fields": limits}))
        return (*shown, ("Why", {"fields": changes.WHY})) if hidden else shown

    # -------------------------------------------------------------- columns
    @admin.display(description="max. open orders")
    def max_open_orders(self, account: Account) -> str:
        return AccountForm.shown(row_terms(account))["open orders"]

    @admin.display(description="max. order value")
    def max_order_value(self, account: Account) -> str:
        return AccountForm.shown(row_terms(account))["order value"]

    @admin.display(description="restricted symbols")
    def restricted_symbols(self, account: Account) -> str:
        return AccountForm.shown(row_terms(account))["restricted symbols"]

    @admin.display(description="change on its way", empty_value="")
    def change_on_its_way(self, account: Account) -> str | None:
        try:
            wish = changes.open_wish(KIND, account.pk)
        except TransportError:
            return "the order store does not answer"
        return wish.text if wish is not None else None

    # -------------------------------------------------------------- sending
    def target_of(self, obj: Account, form: Any) -> str:
        return obj.pk or str(form.cleaned_data["request_id"])

    def ask(self, obj: Account, form: Any, asked: Asked) -> tuple[Asked, bool]:
        terms: Terms = form.terms
        version = changes.next_version(
            asked, lambda: versions.of_account(wiring.store(), asked.target, obj.seq)
        )
        command = commands.SetAccount(asked.target, terms.name, terms.state, terms.limits, version)
        sent = changes.send(asked, command, account_id=asked.target)
        if not obj.pk:
            obj.pk = asked.target
            limits = msgspec.json.encode(terms.limits).decode()
            accounts.propose(obj.pk, terms.name, terms.state, limits)
        return sent

    def context_of(self, request: HttpRequest, object_id: str | None) -> dict[str, Any]:
        context = super().context_of(request, object_id)
        if object_id and not context.get("store_away"):
            context["requests"] = changes.history(KIND, ADJUSTMENT, target=object_id)
        return context | {"may_adjust": self.has_adjust_permission(request)}

    # -------------------------------------------------------------- money
    def has_adjust_permission(self, request: HttpRequest) -> bool:
        return user_may(request.user, Action.MONEY)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.adjust_view)
        return [
            path("<path:object_id>/adjust/", view, name="access_account_adjust"),
            *super().get_urls(),
        ]

    def adjust_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Credit or debit the account: one command, booked once however often the form is sent."""
        if not self.has_adjust_permission(request):
            raise PermissionDenied
        account = Account.objects.filter(pk=object_id).first()
        if account is None:
            raise Http404
        balances = {row.asset: row for row in wiring.store().balances((account.pk,))}
        form = AdjustmentForm(balances, request.POST if request.method == "POST" else None)
        status = 200
        if form.is_valid():
            try:
                sent, new = self._adjust(request, account, form)
            except TransportError as error:
                form.add_error(None, changes.trouble_of(error))
                status = 503
            else:
                changes.tell(request, sent, new=new)
                return HttpResponseRedirect(self.address_of(account))
        context = {
            **self.admin_site.each_context(request), "opts": self.opts, "original": account,
            "title": f"Adjust a balance of {account.name}", "form": form,
            "balances": [
                (row.asset, units_text(row.free), units_text(row.locked))
                for row in balances.values()
            ],
            "back": reverse("admin:access_account_change", args=[account.pk]),
        }  # fmt: skip
        template = "admin/access/account/adjust.html"
        return TemplateResponse(request, template, context, status=status)

    def _adjust(
        self, request: HttpRequest, account: Account, form: AdjustmentForm
    ) -> tuple[Asked, bool]:
        cleaned = form.cleaned_data
        adjustment_id = str(cleaned["request_id"])
        command = commands.AdjustBalance(
            account.pk, adjustment_id, cleaned["asset"], cleaned["amount"], cleaned["reason"]
        )
        asked = Asked(
            adjustment_id, ADJUSTMENT, account.pk, actors.of_user(request.user.pk, request.user.get_username()),
            wiring.clock().now_ns(), form.text(), form.wanted,
        )  # fmt: skip
        sent, new = changes.send(asked, command, account_id=account.pk)
        if new:
            self.log_change_of(request, account, form.text())
        return sent, new

    def log_change_of(self, request: HttpRequest, account: Account, text: str) -> None:
        admin.ModelAdmin.log_change(self, request, account, text)
