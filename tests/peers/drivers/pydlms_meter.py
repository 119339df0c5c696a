"""Run by the environment of ``pydlms-client`` alone: its simulator serves one meter until standard input ends.

The first argument names a file with the task as JSON; the first line of standard output says the port.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from pydlms import Mechanism
from pydlms.simulator import ClientProfile, example_meter, serve


def start(task: dict[str, Any]) -> int:
    meter = example_meter(
        system_title=bytes.fromhex(task["title"]),
        encryption_key=bytes.fromhex(task["key"]),
        authentication_key=bytes.fromhex(task["auth_key"]),
    )
    meter.security.suite = task["suite"]
    profile = ClientProfile(Mechanism(task["mechanism"]), ciphered=True)
    if profile.mechanism is Mechanism.HLS_ECDSA:
        curve = ec.SECP256R1()
        meter.signing_key = ec.derive_private_key(int(task["meter_private"], 16), curve)
        point = b"\x04" + bytes.fromhex(task["client_public"])
        profile.client_public_key = ec.EllipticCurvePublicKey.from_encoded_point(curve, point)
    meter.clients[task["client"]] = profile
    server = serve(meter, hdlc=task["framing"] == "hdlc", hdlc_window=task.get("window", 1))
    port: int = server.server_address[1]
    return port


print(json.dumps({"port": start(json.loads(Path(sys.argv[1]).read_text()))}), flush=True)
sys.stdin.read()
