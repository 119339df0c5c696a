"""Run by the environment of ``gurux-dlms`` alone: its client reads a meter; reads a task, prints JSON.

The library has no sockets of its own, so this program moves the octets.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import socket
import sys
from pathlib import Path
from typing import Any

from gurux_dlms import GXByteBuffer, GXDateTime, GXReplyData
from gurux_dlms.enums import Authentication, InterfaceType, Security
from gurux_dlms.objects import GXDLMSClock, GXDLMSDisconnectControl, GXDLMSProfileGeneric, GXDLMSRegister
from gurux_dlms.secure import GXDLMSSecureClient

TIMEOUT_S = 10.0


class Meter:
    """A client and its socket."""

    def __init__(self, task: dict[str, Any]) -> None:
        framing = InterfaceType.HDLC if task["framing"] == "hdlc" else InterfaceType.WRAPPER
        client = GXDLMSSecureClient(True, task["client"], task["server"], Authentication.HIGH_GMAC, None, framing)
        # Its default release is in the clear, which anybody could forge.
        client.useProtectedRelease = True
        client.ciphering.security = Security.AUTHENTICATION_ENCRYPTION
        client.ciphering.securitySuite = task["suite"]
        client.ciphering.systemTitle = bytes.fromhex(task["client_title"])
        client.ciphering.blockCipherKey = bytes.fromhex(task["key"])
        client.ciphering.authenticationKey = bytes.fromhex(task["auth_key"])
        client.ciphering.invocationCounter = task["counter"]
        self.client = client
        self._socket = socket.create_connection((task["host"], task["port"]), TIMEOUT_S)

    def ask(self, requests: Any) -> GXReplyData:
        """Send the frames of one request and return the whole answer."""
        reply = GXReplyData()
        for request in requests if isinstance(requests, list) else [requests]:
            self._exchange(request, reply)
            while reply.isMoreData():
                more = None if reply.isStreaming() else self.client.receiverReady(reply)
                self._exchange(more, reply)
        return reply

    def _exchange(self, request: Any, reply: GXReplyData) -> None:
        if request is not None:
            self._socket.sendall(bytes(request))
        received = GXByteBuffer()
        notify = GXReplyData()
        reply.error = 0
        while True:
            data = self._socket.recv(65_536)
            if not data:
                raise ConnectionError("the meter ended the connection")
            received.set(data)
            if self.client.getData(received, reply, notify):
                break
        if reply.error:
            raise RuntimeError(f"the meter answered error {int(reply.error)}")

    def open(self) -> None:
        link = self.client.snrmRequest()
        if link:
            self.client.parseUAResponse(self.ask(link).data)
        self.client.parseAareResponse(self.ask(self.client.aarqRequest()).data)
        if self.client.authentication > Authentication.LOW:
            reply = self.ask(self.client.getApplicationAssociationRequest())
            self.client.parseApplicationAssociationResponse(reply.data)

    def read(self, target: Any, number: int) -> Any:
        reply = self.ask(self.client.read(target, number))
        return self.client.updateValue(target, number, reply.value)

    def close(self) -> None:
        request = self.client.disconnectRequest()
        if request:
            self.ask(request)
        self._socket.close()


def more(meter: Meter, task: dict[str, Any]) -> dict[str, Any]:
    reply = meter.ask(meter.client.getObjectsRequest())
    found = meter.client.parseObjects(reply.data, onlyKnownObjects=False)
    profile = GXDLMSProfileGeneric(task["profile"])
    meter.read(profile, 3)
    reply = meter.ask(meter.client.readRowsByEntry(profile, 1, 4))
    meter.client.updateValue(profile, 2, reply.value)
    control = GXDLMSDisconnectControl("0.0.96.3.10.255")
    switch = [meter.read(control, 2)]
    for order in (control.remoteDisconnect, control.remoteReconnect):
        meter.ask(order(meter.client))
        switch.append(meter.read(control, 2))
    meter.close()
    objects = [[int(item.objectType), item.logicalName] for item in found]
    return {"objects": objects, "entries": len(profile.buffer), "switch": switch}


def run(task: dict[str, Any]) -> dict[str, Any]:
    meter = Meter(task)
    meter.open()
    if task["more"]:
        return more(meter, task)
    clock = meter.read(GXDLMSClock("0.0.1.0.0.255"), 2)
    registers = {}
    for obis in task["registers"]:
        register = GXDLMSRegister(obis)
        # Its scaler is a power, and it scales the value when it knows it: so the value is read first.
        value = meter.read(register, 2)
        meter.read(register, 3)
        registers[obis] = {"value": value, "scaler": _power(register.scaler), "unit": int(register.unit)}
    profile = GXDLMSProfileGeneric(task["profile"])
    meter.read(profile, 3)
    first, last = (GXDateTime(dt.datetime.fromisoformat(task[name])) for name in ("from", "to"))
    reply = meter.ask(meter.client.readRowsByRange(profile, first, last))
    meter.client.updateValue(profile, 2, reply.value)
    rows = [[_text(cell) for cell in row] for row in profile.buffer]
    meter.close()
    return {"clock": _text(clock), "registers": registers, "rows": rows}


def _power(scaler: float) -> int:
    return len(str(round(scaler))) - 1 if scaler >= 1 else -(len(str(round(1 / scaler))) - 1)


def _text(cell: Any) -> Any:
    if isinstance(cell, GXDateTime):
        return cell.value.isoformat()
    return cell if isinstance(cell, int | str) or cell is None else bytes(cell).hex()


answer = sys.stdout
# The library prints what it does to standard output, which is for the answer.
with contextlib.redirect_stdout(sys.stderr):
    result = run(json.loads(Path(sys.argv[1]).read_text()))
json.dump(result, answer)
