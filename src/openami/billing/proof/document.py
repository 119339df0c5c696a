"""Proofs as JSON values and as words for a terminal. Money and energy are exact text, instants ISO 8601."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo


def proof_document(value: Any, zone: ZoneInfo) -> Any:
    """Return a proof as JSON values, instants on the wall clock of a zone with its offset."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: proof_document(getattr(value, f.name), zone) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): proof_document(v, zone) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [proof_document(v, zone) for v in value]
    return _single(value, zone)


def _single(value: Any, zone: ZoneInfo) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(zone).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, UUID | Decimal) else value
