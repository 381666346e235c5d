"""Which model serves an agent: the providers at hand, the models they offer, and what these cost."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import IntegrityError
from django.db.models import Q, QuerySet

from agents.models import Agent, LanguageModel, Provider
from common.errors import ZergError
from common.prepared import prepared
from engine import Usage

UNKNOWN_CONTEXT_WINDOW = 32_768
# A 135M model reads about 300 tokens a second on a laptop: a small window keeps its first word quick.
LOCAL_MODEL = {"context_window": 2048, "max_output_tokens": 512, "supports_tools": False}
MILLION = Decimal(1_000_000)
SMALLEST_AMOUNT = Decimal("0.00000001")
"""What rows can hold. Each call's cost is rounded to it once, so that sums of costs are exact."""


@dataclass(frozen=True)
class ModelChoice:
    """The provider and model that a run will use. ``name`` is empty when the provider has to be asked for its first."""

    provider: Provider
    name: str
    row: LanguageModel | None

    @property
    def context_window(self) -> int:
        return self.row.context_window if self.row else UNKNOWN_CONTEXT_WINDOW

    @property
    def supports_tools(self) -> bool:
        return self.row.supports_tools if self.row else True

    def cost(self, usage: Usage) -> Decimal | None:
        """US dollars for one call, or None when a price is unknown. Cached input has its own price where set."""
        row = self.row
        if row is None or row.input_price is None or row.output_price is None:
            return None
        cached_price = row.cached_price if row.cached_price is not None else row.input_price
        fresh = usage.input_tokens - usage.cached_tokens
        millionths = (
            fresh * row.input_price + usage.cached_tokens * cached_price + usage.output_tokens * row.output_price
        )
        return (millionths / MILLION).quantize(SMALLEST_AMOUNT)


def ensure_built_in_providers() -> None:
    """Makes the rows of the environment's provider and of the local model, and switches them with their settings."""
    if settings.OPENAI_BASE_URL or settings.OPENAI_API_KEY:
        name = "OpenAI" if not settings.OPENAI_BASE_URL else settings.OPENAI_BASE_URL.split("//")[-1].split("/")[0]
        base_url = settings.OPENAI_BASE_URL or "https://api.openai.com/v1"
        _ensure(Provider.Kind.ENVIRONMENT, name=name, base_url=base_url)
    if settings.LOCAL_MODEL_URL:
        local = _ensure(Provider.Kind.LOCAL, name="Tiny offline demo model", base_url=settings.LOCAL_MODEL_URL)
        LanguageModel.objects.get_or_create(
            provider=local,
            name=settings.LOCAL_MODEL_NAME,
            defaults={**LOCAL_MODEL, "input_price": 0, "cached_price": 0, "output_price": 0},
        )
        LanguageModel.objects.filter(provider=local).exclude(name=settings.LOCAL_MODEL_NAME).delete()


def _ensure(kind: Provider.Kind, *, name: str, base_url: str) -> Provider:
    values = {"name": name, "base_url": base_url, "private_allowed": True}
    try:
        provider, _ = Provider.objects.get_or_create(kind=kind, defaults=values)
    except IntegrityError:  # another process made it at the same moment
        provider = Provider.objects.get(kind=kind)
    if (provider.name, provider.base_url) != (name, base_url):
        Provider.objects.filter(pk=provider.pk).update(**values)
        provider.refresh_from_db()
    return provider


def providers_for(workspace_id: int) -> list[Provider]:
    """The enabled providers of a workspace, the default first.

    That is the one people prefer (the workspace's own before the installation's), then the environment's, then those
    people added, then the local model.
    """
    usable = {Provider.Kind.CUSTOM.value}
    if settings.OPENAI_BASE_URL or settings.OPENAI_API_KEY:
        usable.add(Provider.Kind.ENVIRONMENT.value)
    if settings.LOCAL_MODEL_URL:
        usable.add(Provider.Kind.LOCAL.value)
    return sorted((row for row in _enabled_for(workspace_id) if row.kind in usable), key=_rank)


@prepared
def _enabled_for(workspace_id: Any) -> QuerySet[Provider]:
    return Provider.objects.filter(Q(workspace=None) | Q(workspace=workspace_id), enabled=True)


def _rank(provider: Provider) -> tuple[bool, bool, int, int]:
    kinds = {Provider.Kind.ENVIRONMENT.value: 0, Provider.Kind.CUSTOM.value: 1, Provider.Kind.LOCAL.value: 2}
    preferred_here = provider.preferred and provider.workspace_id is not None
    return not preferred_here, not provider.preferred, kinds[provider.kind], provider.pk


def models_for(workspace_id: int) -> list[LanguageModel]:
    """Every known model of the workspace's providers, the default provider's first."""
    providers = providers_for(workspace_id)
    by_provider: dict[int, list[LanguageModel]] = {}
    for row in LanguageModel.objects.filter(provider__in=providers, enabled=True).select_related("provider"):
        by_provider.setdefault(row.provider_id, []).append(row)
    return [row for provider in providers for row in by_provider.get(provider.pk, [])]


def choose(agent: Agent, name: str | None = None) -> ModelChoice:
    """The model for an agent: by name, by ``provider/name``, or the default. Raises ZergError when none is at hand."""
    providers = providers_for(agent.workspace_id)
    wanted = agent.model if name is None else name
    return _resolve(wanted, providers, _rows_for({wanted}, providers))


def choices_of(
    agents: Iterable[Agent], workspace_id: int, *, without: Provider | None = None
) -> dict[int, ModelChoice]:
    """The choice of each agent of a workspace, by the agent's id; agents that no provider can serve are left out.

    With ``without``: as it would be if that provider were gone.
    """
    agents = list(agents)
    providers = [provider for provider in providers_for(workspace_id) if provider != without]
    rows = _rows_for({agent.model for agent in agents}, providers)
    default = _default_rows(providers)
    choices = {}
    for agent in agents:
        with suppress(ZergError):
            choices[agent.pk] = _resolve(agent.model, providers, rows, default)
    return choices


Rows = dict[tuple[int, str], LanguageModel]


def _resolve(
    wanted: str, providers: list[Provider], rows: Rows, default: dict[str, LanguageModel] | None = None
) -> ModelChoice:
    if not providers:
        raise ZergError("no_provider", "No model is connected yet. Add a provider's key under Settings, Models.")
    if not wanted:
        return default_choice(providers, default)
    for provider in providers:
        if row := rows.get((provider.pk, wanted)):
            return ModelChoice(provider, wanted, row)
    for provider in providers:
        bare = wanted.removeprefix(f"{provider.name}/")
        if bare != wanted:
            return ModelChoice(provider, bare, rows.get((provider.pk, bare)))
    # A name nobody lists: the default provider may know it all the same (an alias, a new release); the local not.
    if providers[0].kind == Provider.Kind.LOCAL:
        raise ZergError(
            "unknown_model",
            f"No connected provider offers the model “{wanted}”. Choose another in the agent's form, or add its "
            "provider under Settings, Models.",
        )
    return ModelChoice(providers[0], wanted, None)


def _rows_for(names: set[str], providers: list[Provider]) -> Rows:
    names = names - {""}
    if not names:
        return {}
    spellings = names | {name.removeprefix(f"{provider.name}/") for name in names for provider in providers}
    found = LanguageModel.objects.filter(provider__in=providers, name__in=spellings)
    return {(row.provider_id, row.name): row for row in found}


def _default_rows(providers: list[Provider]) -> dict[str, LanguageModel]:
    return {row.name: row for provider in providers[:1] for row in _enabled_of(provider.pk)}


@prepared
def _enabled_of(provider_id: Any) -> QuerySet[LanguageModel]:
    return LanguageModel.objects.filter(provider=provider_id, enabled=True)


def default_choice(providers: list[Provider], rows: dict[str, LanguageModel] | None = None) -> ModelChoice:
    """The default provider's default model; its name is empty when the provider was never asked what it offers.

    ``rows`` are the default provider's models, where the caller has them already.
    """
    first = providers[0]
    rows = _default_rows(providers) if rows is None else rows
    operators = settings.DEFAULT_MODEL if first.kind == Provider.Kind.ENVIRONMENT else ""
    name = operators or first.default_model or next(iter(rows), "")
    return ModelChoice(first, name, rows.get(name))
