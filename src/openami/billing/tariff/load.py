"""Read a rate file of either format from bytes, and the rates that ship with OpenAMI."""

from __future__ import annotations

import json
from decimal import Decimal
from importlib.resources import files
from typing import Any

from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.native import FORMAT, read_native
from openami.billing.tariff.urdb import read_urdb

MAX_OCTETS = 4 * 1024 * 1024
"""The largest of 58,866 URDB records is under 0.2 MB."""


def parse_rate(octets: bytes, *, code: str) -> RateSchedule:
    """Return the rate in a JSON document of our own format or URDB v8.

    Args:
        octets: the file.
        code: short name for a file that carries none.

    Raises:
        TariffError: the file cannot be read or a clause cannot be billed.
    """
    if len(octets) > MAX_OCTETS:
        raise TariffError("file", f"{len(octets)} octets, the limit is {MAX_OCTETS}")
    try:
        document = json.loads(octets, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise TariffError("file", f"not JSON: {str(error)[:120]}") from error
    document = _one_record(document)
    if document.get("format") == FORMAT:
        return read_native(document)
    if "energyratestructure" in document:
        return read_urdb(document, code=code)
    raise TariffError("file", f"neither {FORMAT} nor URDB (no energyratestructure)")


def shipped_rates() -> dict[str, RateSchedule]:
    """Return the rates that ship with OpenAMI, by code."""
    folder = files("openami.billing") / "rates"
    found = [
        parse_rate(f.read_bytes(), code=f.name.removesuffix(".json"))
        for f in sorted(folder.iterdir(), key=lambda f: f.name)
        if f.name.endswith(".json")
    ]
    return {r.code: r for r in found}


def _refuse_constant(text: str) -> Any:
    raise TariffError("file", f"{text} is not a price")


def _one_record(document: Any) -> dict[str, Any]:
    """Unwrap the shapes in which URDB records travel: bare, a list of one, or ``{"items": [one]}``."""
    if isinstance(document, dict) and isinstance(document.get("items"), list):
        document = document["items"]
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    if not isinstance(document, dict):
        raise TariffError("file", "one rate is needed, as a JSON object")
    return document
