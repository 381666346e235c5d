"""Wiring: settings, addresses, ASGI, Celery. Imported by nobody."""
