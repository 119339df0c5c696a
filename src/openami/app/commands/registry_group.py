"""``openami registry``: its commands stand in files by purpose, and are one group."""

from openami.app.commands import registry_calendar, registry_changes, registry_facts, registry_reads
from openami.app.commands.registry import app

__all__ = ["app", "registry_calendar", "registry_changes", "registry_facts", "registry_reads"]
