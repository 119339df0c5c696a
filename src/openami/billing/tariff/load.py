"""Read a rate file from bytes, JSON or TOML, of our own format or URDB's, and the rates that ship with OpenAMI."""

from __future__ import annotations

import json
from decimal import Decimal
from importlib.resources import files
from typing import Any

from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.native import FORMAT, FORMATS, read_native
from openami.billing.tariff.urdb import read_urdb
from openami.kernel.toml import TomlError, parse_toml

MAX_OCTETS = 4 * 1024 * 1024
"""The largest of 58,866 URDB records is under 0.2 MB."""
MAX_TOML_OCTETS = 512 * 1024
"""TOML is read by slower code; a rate of daily values for years is a tenth of it."""


def parse_rate(octets: bytes, *, code: str) -> RateSchedule:
    """Return the rate in a document of our own format (JSON or TOML) or URDB's (JSON).

    Args:
        octets: the file.
        code: short name for a file that carries none.

    Raises:
        TariffError: the file cannot be read or a clause cannot be billed.
    """
    if len(octets) > MAX_OCTETS:
        raise TariffError("file", f"{len(octets)} octets, the limit is {MAX_OCTETS}")
    document = _one_record(parse_document(octets))
    if document.get("format") in FORMATS:
        return read_native(document)
    if "energyratestructure" in document:
        return read_urdb(document, code=code)
    raise TariffError("file", f"neither {FORMAT} nor URDB (no energyratestructure)")


def parse_document(octets: bytes) -> Any:
    """Return what a JSON or TOML document holds, its decimals exact. What begins like JSON is JSON.

    Raises:
        TariffError: it is neither.
    """
    is_json = octets.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
    if (is_json and octets.lstrip()[:1] != b"[") or b"=" not in octets:
        return _json(octets)
    try:
        return _toml(octets)
    except TariffError:
        # A list of records begins as a TOML table does.
        if not is_json:
            raise
        return _json(octets)


def _json(octets: bytes) -> Any:
    try:
        return json.loads(octets, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise TariffError("file", f"not JSON: {str(error)[:120]}") from error


def _toml(octets: bytes) -> Any:
    if len(octets) > MAX_TOML_OCTETS:
        raise TariffError("file", f"{len(octets)} octets of TOML, the limit is {MAX_TOML_OCTETS}; JSON may have more")
    try:
        return parse_toml(octets, limit_octets=MAX_TOML_OCTETS, parse_float=Decimal)
    except TomlError as error:
        raise TariffError("file", f"neither JSON nor TOML: {error}") from error


def shipped_rates() -> dict[str, RateSchedule]:
    """Return the rates that ship with OpenAMI, by code."""
    folder = files("openami.billing") / "rates"
    found = [
        parse_rate(f.read_bytes(), code=f.name.rpartition(".")[0])
        for f in sorted(folder.iterdir(), key=lambda f: f.name)
        if f.name.endswith((".json", ".toml"))
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
