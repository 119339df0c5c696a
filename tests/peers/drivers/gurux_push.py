"""Run by the environment of ``gurux-dlms`` alone: its notifier seals pushes; prints frames as hex in JSON."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any

from gurux_dlms.enums import Conformance, InterfaceType, Security
from gurux_dlms.objects import GXDLMSCaptureObject, GXDLMSClock, GXDLMSPushSetup, GXDLMSRegister
from gurux_dlms.secure import GXDLMSSecureNotify


def frames(task: dict[str, Any]) -> list[str]:
    framing = InterfaceType.HDLC if task["framing"] == "hdlc" else InterfaceType.WRAPPER
    notify = GXDLMSSecureNotify(True, 103, 1, framing)
    notify.ciphering.security = Security.AUTHENTICATION_ENCRYPTION
    notify.ciphering.securitySuite = task["suite"]
    notify.ciphering.systemTitle = bytes.fromhex(task["title"])
    notify.ciphering.blockCipherKey = bytes.fromhex(task["key"])
    notify.ciphering.authenticationKey = bytes.fromhex(task["auth_key"])
    notify.ciphering.invocationCounter = task["counter"]
    notify.maxReceivePDUSize = task["pdu_octets"]
    # Without this it refuses to send anything in pieces, be they blocks or segments.
    notify.conformance = notify.conformance | Conformance.GENERAL_BLOCK_TRANSFER
    notify.hdlcSettings.maxInfoTX = task["field_octets"]
    setup = GXDLMSPushSetup("0.0.25.9.0.255")
    clock = GXDLMSClock("0.0.1.0.0.255")
    clock.time = dt.datetime(2026, 11, 24, 7, 15, tzinfo=dt.UTC)
    energy = GXDLMSRegister("1.0.1.8.0.255")
    energy.value = 12_345_678
    for target, number in ((setup, 2), (clock, 2), (energy, 2)):
        setup.pushObjectList.append((target, GXDLMSCaptureObject(number, 0)))
    sent: list[str] = []
    for _ in range(task["count"]):
        sent.extend(bytes(frame).hex() for frame in notify.generatePushSetupMessages(None, setup))
    return sent


answer = sys.stdout
# The library prints what it does to standard output, which is for the answer.
with contextlib.redirect_stdout(sys.stderr):
    result = frames(json.loads(Path(sys.argv[1]).read_text()))
json.dump({"frames": result}, answer)
