"""Shipment files on disk: closed to others, read whole."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from openami.security.keys.shipment import MAX_SHIPMENT_OCTETS, Shipment, ShipmentError, parse_shipment


def read_shipment(path: Path) -> Shipment:
    """Read a shipment file.

    Raises:
        ShipmentError: it cannot be read, others may read it, it is too large, or a line in it is wrong.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ShipmentError(f"{path} holds keys and is open to group or others: chmod 0600 it")
            octets = file.read(MAX_SHIPMENT_OCTETS + 1)
    except OSError as error:
        raise ShipmentError(f"{path} cannot be read: {error.strerror}") from error
    return parse_shipment(octets)
