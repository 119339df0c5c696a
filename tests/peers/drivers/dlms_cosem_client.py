"""Run by the environment of ``dlms-cosem`` alone: its client reads a meter; reads a task, prints JSON."""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any

import structlog
from dlms_cosem import cosem, enumerations, utils
from dlms_cosem.client import DlmsClient
from dlms_cosem.cosem.capture_object import CaptureObject
from dlms_cosem.cosem.selective_access import RangeDescriptor
from dlms_cosem.io import BlockingTcpIO, HdlcTransport, TcpTransport
from dlms_cosem.parsers import AssociationObjectListParser, ProfileGenericBufferParser
from dlms_cosem.security import HighLevelSecurityGmacAuthentication
from dlms_cosem.time import datetime_from_bytes

# It logs to standard output, which is for the answer.
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
TIMEOUT_S = 3
SWITCH = "0.0.96.3.10.255"
KIND = enumerations.CosemInterface


def attribute(kind: Any, obis: str, number: int) -> cosem.CosemAttribute:
    return cosem.CosemAttribute(kind, cosem.Obis.from_string(obis), number)


def run(task: dict[str, Any]) -> dict[str, Any]:
    transport = HdlcTransport if task["framing"] == "hdlc" else TcpTransport
    client = DlmsClient(
        transport=transport(task["client"], task["server"], BlockingTcpIO(task["host"], task["port"], TIMEOUT_S)),
        authentication=HighLevelSecurityGmacAuthentication(),
        encryption_key=bytes.fromhex(task["key"]),
        authentication_key=bytes.fromhex(task["auth_key"]),
        security_suite=task["suite"],
        client_system_title=bytes.fromhex(task["client_title"]),
        client_initial_invocation_counter=task["counter"],
    )

    def get(kind: Any, obis: str, number: int, access: Any = None) -> Any:
        return utils.parse_as_dlms_data(client.get(attribute(kind, obis, number), access))

    if task["more"]:
        with client.session():
            found = AssociationObjectListParser.parse_bytes(
                client.get(attribute(KIND.ASSOCIATION_LN, "0.0.40.0.0.255", 2))
            )
            switch = [get(KIND.DISCONNECT_CONTROL, SWITCH, 2)]
            for method in (1, 2):
                target = cosem.CosemMethod(KIND.DISCONNECT_CONTROL, cosem.Obis.from_string(SWITCH), method)
                client.action(target, b"\x0f\x00")
                switch.append(get(KIND.DISCONNECT_CONTROL, SWITCH, 2))
        objects = [[int(item.interface), ".".join(map(str, item.logical_name.to_bytes()))] for item in found]
        return {"objects": objects, "switch": switch}
    with client.session():
        clock = datetime_from_bytes(get(KIND.CLOCK, "0.0.1.0.0.255", 2))[0]
        registers = {}
        for obis in task["registers"]:
            scaler, unit = get(KIND.REGISTER, obis, 3)
            registers[obis] = {"value": get(KIND.REGISTER, obis, 2), "scaler": scaler, "unit": unit}
        captured = [
            attribute(KIND(kind), cosem.Obis.from_bytes(name).to_string(), number)
            for kind, name, number, _ in get(KIND.PROFILE_GENERIC, task["profile"], 3)
        ]
        period_s = get(KIND.PROFILE_GENERIC, task["profile"], 4)
        time_column = CaptureObject(attribute(KIND.CLOCK, "0.0.1.0.0.255", 2), 0)
        first, last = (dt.datetime.fromisoformat(task[name]) for name in ("from", "to"))
        buffer = client.get(
            attribute(KIND.PROFILE_GENERIC, task["profile"], 2), RangeDescriptor(time_column, first, last, [])
        )
        parser = ProfileGenericBufferParser(captured, period_s // 60)
        rows = [[_text(cell.value) for cell in row] for row in parser.parse_bytes(buffer)]
    return {"clock": clock.isoformat(), "registers": registers, "rows": rows}


def _text(cell: Any) -> Any:
    if isinstance(cell, dt.datetime):
        return cell.isoformat()
    return cell if isinstance(cell, int | str) or cell is None else bytes(cell).hex()


json.dump(run(json.loads(Path(sys.argv[1]).read_text())), sys.stdout)
