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
from pydlms.apdu.xdlms import DataNotification
from pydlms.cosem.data import DlmsData
from pydlms.obis import ObisCode
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
    if task.get("pushes"):
        push_before_each_answer(meter, task["pushes"])
    server = serve(meter, hdlc=task["framing"] == "hdlc", hdlc_window=task.get("window", 1))
    port: int = server.server_address[1]
    return port


def push_before_each_answer(meter: Any, frame: str) -> None:
    """Let it push on the client's own port, or in a frame of its own, before every answer."""
    handle_all = meter.handle_all
    body = DlmsData.structure([DlmsData.octet_string(ObisCode.parse("0.0.25.9.0.255").to_bytes()), DlmsData.uint8(1)])

    def handle(apdu: bytes, session: Any) -> Any:
        plain = DataNotification(1, body).to_bytes()
        meter.push_before_response(plain, protection="general-glo", hdlc_frame=frame)
        return handle_all(apdu, session)

    meter.handle_all = handle


print(json.dumps({"port": start(json.loads(Path(sys.argv[1]).read_text()))}), flush=True)
sys.stdin.read()
