"""Webhooks that come in: who may send, what is kept of it, and the run that it starts."""
