"""Zerg's database backend for SQLite; see ``common.sqlite.base``."""
