"""Run by the interpreter of an environment with ``dlms-cosem``, never imported: opens and decodes sealed pushes.

Each frame goes the library's own documented way, as a head-end on it would: wrapper, ciphered message, key look-up, tag
check and decryption, notification, values, and the clock of each row. The time is this process's own processor time.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

RUNS = 3
WRAPPER_OCTETS = 8


def main() -> None:
    """Read ``{"frames": [hex], "keys": {title: [key, auth key]}}`` and print ``{"seconds", "rows", "sum"}``."""
    task = json.loads(Path(sys.argv[1]).read_text(encoding="ascii"))
    frames = [bytes.fromhex(frame) for frame in task["frames"]]
    keys = {bytes.fromhex(title): tuple(map(bytes.fromhex, pair)) for title, pair in task["keys"].items()}
    peer = {
        "wrapper": importlib.import_module("dlms_cosem.protocol.wrappers").WrapperProtocolDataUnit,
        "cipher": importlib.import_module("dlms_cosem.protocol.xdlms").GeneralGlobalCipher,
        "notification": importlib.import_module("dlms_cosem.protocol.xdlms").DataNotification,
        "values": importlib.import_module("dlms_cosem.utils").parse_as_dlms_data,
        "clock": importlib.import_module("dlms_cosem.time").datetime_from_bytes,
    }
    best = float("inf")
    for _ in range(RUNS):
        start = time.process_time()
        rows, total = decode(peer, frames, keys)
        best = min(best, time.process_time() - start)
    print(json.dumps({"seconds": best, "rows": rows, "sum": total}))


def decode(peer: dict[str, Any], frames: list[bytes], keys: dict[bytes, tuple[bytes, ...]]) -> tuple[int, int]:
    """Return how many rows there were and the sum of their first quantity."""
    rows = total = 0
    wrapper, cipher, notification = peer["wrapper"], peer["cipher"], peer["notification"]
    values, clock = peer["values"], peer["clock"]
    for frame in frames:
        sealed = cipher.from_bytes(wrapper.from_bytes(frame).data)
        key, auth_key = keys[bytes(sealed.system_title)]
        push = notification.from_bytes(sealed.to_plain_apdu(key, auth_key))
        for row in values(push.body)[1]:
            clock(bytes(row[0]))
            rows += 1
            total += row[2]
    return rows, total


if __name__ == "__main__":
    main()
