"""The factory that makes the territory's meters: names and random keys, handed over as a shipment file.

The dice for keys and ids are not the world's: they come from the machine's own source of secrets, as an argument.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from openami.kernel.errors import OpenAmiError
from openami.kernel.ids import SystemTitle
from openami.meter.sealing import KEY_OCTETS, MeterIdentity
from openami.protocol.push import PROFILE
from openami.security.keys.sealed_shipment import seal_shipment
from openami.sim.maker import Maker

MAKER = "OAM"
_FIRST_SERIAL = 10_000_000


class FactoryFileError(OpenAmiError):
    """The factory's own book of meters cannot be read."""


@dataclass(frozen=True, slots=True)
class FactoryMeter:
    """A meter as it leaves the factory.

    Args:
        meter_id: random id that it is registered under.
        serial: printed on its face.
        identity: system title and keys.
    """

    meter_id: UUID
    serial: str
    identity: MeterIdentity


def make_meters(count: int, *, secret: Callable[[int], bytes]) -> list[FactoryMeter]:
    """Make meters with keys of their own.

    Args:
        count: how many.
        secret: returns that many octets nobody can guess (``secrets.token_bytes``).
    """
    # The lot number keeps titles of two territories apart; the running number keeps them apart within one.
    lot = secret(2)
    return [
        FactoryMeter(
            meter_id=UUID(bytes=secret(16), version=4),
            serial=f"{MAKER}{_FIRST_SERIAL + k}",
            identity=MeterIdentity(
                SystemTitle(MAKER.encode() + lot + (k + 1).to_bytes(3)),
                secret(KEY_OCTETS),
                secret(KEY_OCTETS),
                secret(KEY_OCTETS),
            ),
        )
        for k in range(count)
    ]


def shipment_document(meters: Sequence[FactoryMeter], *, shipment_id: str, made_at: datetime) -> str:
    """Return the shipment as text for the head-end's vault. It holds keys: keep it closed, delete it when imported."""
    rows = [_shipped(m) for m in meters]
    document = {
        "shipment_id": shipment_id,
        "made_at": made_at.isoformat(),
        "maker": MAKER,
        "profile": PROFILE,
        "meters": rows,
    }
    return json.dumps(document, indent=1) + "\n"


def sealed_shipment(document: str, *, maker: Maker, recipient_key: bytes, dice: Callable[[int], bytes]) -> bytes:
    """Return a shipment as it leaves the factory: signed by the maker, readable by one utility.

    Args:
        document: what :func:`shipment_document` made.
        maker: signs it.
        recipient_key: the utility's public key for shipments, ``X || Y`` on P-256.
        dice: source of octets nobody can guess.

    Raises:
        FactoryFileError: the document is none.
    """
    try:
        shipment_id = str(json.loads(document)["shipment_id"])
    except (ValueError, KeyError, TypeError) as error:
        raise FactoryFileError(f"a shipment document cannot be read: {type(error).__name__}") from None
    return seal_shipment(
        document.encode(),
        maker=MAKER,
        shipment_id=shipment_id,
        maker_key=maker.signing_key,
        recipient_key=recipient_key,
        dice=dice,
    )


def _shipped(meter: FactoryMeter) -> dict[str, str]:
    row = {
        "system_title": str(meter.identity.title),
        "serial": meter.serial,
        "encryption_key": meter.identity.encryption_key.hex(),
        "authentication_key": meter.identity.authentication_key.hex(),
        "profile": PROFILE,
        "meter_id": str(meter.meter_id),
    }
    if meter.identity.master_key is not None:
        row["master_key"] = meter.identity.master_key.hex()
    return row


def parse_book(text: str) -> list[FactoryMeter]:
    """Read the meters back from a shipment document: how a territory finds its meters after a restart.

    Raises:
        FactoryFileError: it is not such a document.
    """
    try:
        return [
            FactoryMeter(
                UUID(row["meter_id"]),
                str(row["serial"]),
                MeterIdentity(
                    SystemTitle.from_hex(row["system_title"]),
                    bytes.fromhex(row["encryption_key"]),
                    bytes.fromhex(row["authentication_key"]),
                    # A book of before meters had a master key: their keys are for life.
                    bytes.fromhex(row["master_key"]) if "master_key" in row else None,
                ),
            )
            for row in json.loads(text)["meters"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise FactoryFileError(f"the territory's book of meters cannot be read: {type(error).__name__}") from None
