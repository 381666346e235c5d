"""Zerg's own command: installs, starts, watches and stops its parts. Standard library only, no Django."""
