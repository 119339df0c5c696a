"""Run by the environment of ``pydlms-client`` alone: its simulator seals pushes; prints frames as hex in JSON.

Each push lists its objects first and then their values, as self-describing meters do.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydlms.apdu.xdlms import DataNotification
from pydlms.cosem.data import DlmsData
from pydlms.obis import ObisCode
from pydlms.simulator import EXAMPLE_PUSH_OBJECTS, example_meter
from pydlms.wrapper import encode_wrapper


def frames(task: dict[str, Any]) -> list[str]:
    meter = example_meter(
        system_title=bytes.fromhex(task["title"]),
        encryption_key=bytes.fromhex(task["key"]),
        authentication_key=bytes.fromhex(task["auth_key"]),
    )
    meter.security.suite = task["suite"]
    setup = meter.objects[(40, ObisCode.parse("0.0.25.9.0.255"))][2]
    values = [
        DlmsData.octet_string(ObisCode.parse(obis).to_bytes())
        if number == 1
        else meter.objects[(kind, ObisCode.parse(obis))][number]
        for kind, obis, number in EXAMPLE_PUSH_OBJECTS
    ]
    sent: list[str] = []
    for invoke_id in range(task["count"]):
        clock = meter.objects[(8, ObisCode.parse("0.0.1.0.0.255"))][2]
        body = DlmsData.structure([setup, *values])
        plain = DataNotification(invoke_id + 1, body, date_time=bytes(clock.value)).to_bytes()
        sealed = meter.push_before_response(plain, protection="general-glo")
        sent.append(encode_wrapper(1, 103, sealed).hex())
    return sent


json.dump({"frames": frames(json.loads(Path(sys.argv[1]).read_text()))}, sys.stdout)
