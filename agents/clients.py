"""A process's model clients: one for each provider and key, kept as long as the event loop that they live in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.catalog import ModelChoice
from agents.models import Provider
from common.egress import guarded_connector, open_connector
from engine import ChatModel, Limits, ModelError, make_client
from engine.listing import list_models

if TYPE_CHECKING:  # half a second and 20 MB that only the processes that call models need
    import openai


class ModelClients:
    """Lives in one event loop."""

    def __init__(self) -> None:
        self._clients: dict[tuple[str, str, bool], openai.AsyncOpenAI] = {}
        self._models: dict[tuple[int, str, str, str], ChatModel] = {}

    def client(self, provider: Provider, base_url: str, api_key: str) -> openai.AsyncOpenAI:
        """The client for a provider, with the egress rules that its author's rights give."""
        identity = (base_url, api_key, provider.private_allowed)
        if identity not in self._clients:
            factory = open_connector if provider.private_allowed else guarded_connector
            self._clients[identity] = make_client(base_url, api_key, connector_factory=factory)
        return self._clients[identity]

    def model(self, choice: ModelChoice, base_url: str, api_key: str) -> ChatModel:
        """The chosen model. What it learns of its server's dialect is kept for the next run."""
        provider = choice.provider
        identity = (provider.pk, choice.name, base_url, api_key)
        if identity not in self._models:
            client = self.client(provider, base_url, api_key)
            self._models[identity] = ChatModel(client, name=choice.name, provider_name=provider.name)
        return self._models[identity]

    async def listed(self, provider: Provider, base_url: str, api_key: str, limits: Limits) -> list[str]:
        """What the provider offers. Raises ModelError."""
        return await list_models(self.client(provider, base_url, api_key), provider_name=provider.name, limits=limits)

    async def first_of(self, provider: Provider, base_url: str, api_key: str, limits: Limits) -> str:
        """The first model that a provider offers, for an agent that names none. Raises ModelError."""
        names = await self.listed(provider, base_url, api_key, limits)
        if not names:
            raise ModelError("unknown_model", f"{provider.name} lists no models. Name one in the agent's form.")
        return names[0]

    async def close(self) -> None:
        for client in self._clients.values():
            await client.close()
