"""Run by the environment of ``pydlms-client`` alone: its client reads a meter; reads a task, prints JSON."""

from __future__ import annotations

import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from pydlms import DlmsClient, Mechanism, SecurityContext
from pydlms.apdu.xdlms import date_time_value, entry_descriptor, range_descriptor
from pydlms.client import AccessGet
from pydlms.cosem.data import DlmsData
from pydlms.hdlc.connection import HdlcParameters

REGISTER = 3
SWITCH_CLASS, SWITCH = 70, "0.0.96.3.10.255"


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


def connected(task: dict[str, Any]) -> DlmsClient:
    settings = {"mechanism": Mechanism(task["mechanism"]), "security": security(task)} | signing(task)
    settings["propose_access"] = True
    where = {"client_sap": task["client"], "server_logical": task["server"]}
    if task["framing"] == "udp":
        return DlmsClient.udp(task["host"], task["port"], **where, **settings)
    is_hdlc = task["framing"] == "hdlc"
    if is_hdlc and task["window"] > 1:
        # A physical address makes the server's address two octets long.
        octets, window = 512, task["window"]
        where |= {"server_physical": 17, "hdlc_parameters": HdlcParameters(octets, octets, window, window)}
    return DlmsClient.tcp(task["host"], task["port"], hdlc=is_hdlc, **where, **settings)


def more(task: dict[str, Any]) -> dict[str, Any]:
    names = [(obis, REGISTER, 2) for obis in task["registers"]]
    with connected(task) as meter:
        objects = [[int(entry.class_id), str(entry.logical_name)] for entry in meter.get_association_view()]
        listed = [value.value for value in meter.get_many(names)]
        accessed = [outcome.data.value for outcome in meter.access([AccessGet(*name) for name in names])]
        entries = len(meter.read_profile(task["profile"], entry_descriptor(1, 4)).rows)
        meter.set_clock(dt.datetime.fromisoformat(task["clock"]))
        switch = [meter.get(SWITCH, SWITCH_CLASS, 2).value]
        for method in (1, 2):
            meter.action(SWITCH, SWITCH_CLASS, method, DlmsData.int8(0))
            switch.append(meter.get(SWITCH, SWITCH_CLASS, 2).value)
    return {
        "objects": objects,
        "listed": listed,
        "accessed": accessed,
        "entries": entries,
        "clock_set": True,
        "switch": switch,
    }


def run(task: dict[str, Any]) -> dict[str, Any]:
    if task["more"]:
        return more(task)
    with connected(task) as meter:
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
