"""Shipment files on disk, read whole: plain ones closed to others, sealed ones as they are."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from openami.security.keys.sealed_shipment import MAX_FILE_OCTETS, is_sealed_shipment
from openami.security.keys.shipment import Shipment, ShipmentError, parse_shipment


def read_shipment(path: Path) -> Shipment:
    """Read a plain shipment file.

    Raises:
        ShipmentError: it cannot be read, others may read it, it is too large, or a line in it is wrong.
    """
    return parse_shipment(read_shipment_octets(path))


def read_shipment_octets(path: Path) -> bytes:
    """Return the octets of a shipment file, sealed or plain.

    Raises:
        ShipmentError: it cannot be read, or it is plain and others may read it. A sealed one holds nothing to read.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            octets = file.read(MAX_FILE_OCTETS + 1)
    except OSError as error:
        raise ShipmentError(f"{path} cannot be read: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO) and not is_sealed_shipment(octets):
        raise ShipmentError(f"{path} holds keys and is open to group or others: chmod 0600 it")
    return octets
