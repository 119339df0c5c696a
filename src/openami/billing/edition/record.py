"""An edition of a rate: its whole file in our own format, named by its digest. The same rate has the same digest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from openami.billing.tariff.errors import TariffError
from openami.billing.tariff.load import parse_rate
from openami.billing.tariff.model import RateSchedule
from openami.billing.tariff.native_write import rate_document


@dataclass(frozen=True, slots=True)
class Edition:
    """One text of a rate.

    Args:
        rate_code: of the rate.
        digest: SHA-256 of the text, in hexadecimal.
        text: the file, openami-rate/2 as canonical JSON.
    """

    rate_code: str
    digest: str
    text: str


def edition_of(schedule: RateSchedule) -> Edition:
    """Return the edition of a rate as it is now."""
    text = json.dumps(rate_document(schedule), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return Edition(schedule.code, hashlib.sha256(text.encode()).hexdigest(), text)


def schedule_of(edition: Edition) -> RateSchedule:
    """Return the rate of an edition.

    Raises:
        TariffError: the text is not the one of its digest, or cannot be read.
    """
    octets = edition.text.encode()
    if hashlib.sha256(octets).hexdigest() != edition.digest:
        raise TariffError(edition.rate_code, f"the text kept as {edition.digest[:12]} has another digest")
    return parse_rate(octets, code=edition.rate_code)
