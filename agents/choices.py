"""The models that people choose from, in words."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from agents.catalog import ModelChoice, default_choice, models_for, providers_for
from agents.models import LanguageModel, Provider


@dataclass(frozen=True)
class Option:
    """An entry of the list of models. ``value`` is what an agent stores."""

    value: str
    words: str


def model_options(workspace_id: int) -> list[Option]:
    """Every known model, the default provider's first. A name that several providers offer is told apart by theirs."""
    options, taken = [], set()
    for row in models_for(workspace_id):
        value = f"{row.provider.name}/{row.name}" if row.name in taken else row.name
        taken.add(row.name)
        options.append(Option(value, f"{row.provider.name} · {facts(row)}"))
    return options


def default_in_words(workspace_id: int) -> str:
    """What an agent that names no model speaks with."""
    providers = providers_for(workspace_id)
    return choice_in_words(default_choice(providers)) if providers else "No model is connected yet."


def choice_in_words(choice: ModelChoice) -> str:
    """``name at provider · context · price``, or what is unknown of it."""
    if choice.provider.kind == Provider.Kind.LOCAL:
        return "Tiny offline demo model: very small, free, on this machine. Add a real key for real work."
    name = choice.name
    if not name:
        return f"The first model that {choice.provider.name} offers."
    if choice.row is None:
        return f"{name} at {choice.provider.name}, which does not list it: it will be asked all the same."
    return f"{name} at {choice.provider.name} · {facts(choice.row)}"


def facts(row: LanguageModel) -> str:
    """``128k context · $3 / $15 per million · tools``."""
    context = f"{row.context_window // 1000}k context" if row.context_window >= 1000 else f"{row.context_window} tokens"
    return f"{context} · {price(row)} · {'tools' if row.supports_tools else 'no tools'}"


def price(row: LanguageModel) -> str:
    """US dollars per million tokens, in and out."""
    if row.input_price is None or row.output_price is None:
        return "no price known"
    if not row.input_price and not row.output_price:
        return "free"
    return f"${_short(row.input_price)} / ${_short(row.output_price)} per million"


def _short(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
