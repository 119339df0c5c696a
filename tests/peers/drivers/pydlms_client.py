"""Run by the environment of ``pydlms-client`` alone: its client reads a meter; reads a task, prints JSON."""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from pydlms import DlmsClient, Mechanism, SecurityContext
from pydlms.apdu.xdlms import date_time_value, range_descriptor
from pydlms.hdlc.connection import HdlcParameters

REGISTER, PROFILE = 3, 7


def security(task: dict[str, Any]) -> SecurityContext:
    return SecurityContext(
        bytes.fromhex(task["key"]),
        bytes.fromhex(task["auth_key"]),
        client_system_title=bytes.fromhex(task["client_title"]),
        invocation_counter=task["counter"],
        suite=task["suite"],
    )


def signing(task: dict[str, Any]) -> dict[str, Any]:
    if Mechanism(task["mechanism"]) is not Mechanism.HLS_ECDSA:
        return {}
    curve = ec.SECP256R1()
    point = b"\x04" + bytes.fromhex(task["meter_public"])
    return {
        "signing_key": ec.derive_private_key(int(task["client_private"], 16), curve),
        "server_public_key": ec.EllipticCurvePublicKey.from_encoded_point(curve, point),
    }


def run(task: dict[str, Any]) -> dict[str, Any]:
    settings = {"mechanism": Mechanism(task["mechanism"]), "security": security(task)} | signing(task)
    where = {"client_sap": task["client"], "server_logical": task["server"]}
    if task["framing"] == "udp":
        client = DlmsClient.udp(task["host"], task["port"], **where, **settings)
    else:
        is_hdlc = task["framing"] == "hdlc"
        if is_hdlc:
            # A physical address makes the server's address two octets long.
            octets, window = 512, task["window"]
            parameters = HdlcParameters(octets, octets, window, window)
            where |= {"server_physical": 17, "hdlc_parameters": parameters} if window > 1 else {}
        client = DlmsClient.tcp(task["host"], task["port"], hdlc=is_hdlc, **where, **settings)
    with client as meter:
        clock = meter.get_clock().to_datetime()
        registers = {}
        for obis in task["registers"]:
            scaler, unit = (part.value for part in meter.get(obis, REGISTER, 3).value)
            registers[obis] = {"value": meter.get(obis, REGISTER, 2).value, "scaler": scaler, "unit": int(unit)}
        first, last = (dt.datetime.fromisoformat(task[name]) for name in ("from", "to"))
        access = range_descriptor(date_time_value(first), date_time_value(last))
        profile = meter.read_profile(task["profile"], access, typed=True)
        rows = [[_text(cell) for cell in row] for row in profile.rows]
    return {"clock": clock.isoformat(), "registers": registers, "rows": rows}


def _text(cell: Any) -> Any:
    if hasattr(cell, "to_datetime"):
        return cell.to_datetime().isoformat()
    return cell if isinstance(cell, int | str) or cell is None else str(cell)


json.dump(run(json.loads(Path(sys.argv[1]).read_text())), sys.stdout)
