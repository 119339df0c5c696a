"""What a meter remembers as a document, so that it survives the process that plays it.

The document holds events, settings, half an image; no key and no reading.
Associations are not in it: they end when the meter loses its supply.
"""

from __future__ import annotations

import base64
import binascii
from collections import deque
from datetime import datetime
from typing import Any

from openami.kernel.errors import OpenAmiError
from openami.meter.events import EventCode
from openami.meter.logs import LogEntry
from openami.meter.objects.image import ImageStatus, ImageTransfer
from openami.meter.objects.switch import ControlState
from openami.meter.state import DeviceState


class KeptStateError(OpenAmiError):
    """A document of a meter's memory cannot be read."""


def state_document(state: DeviceState) -> dict[str, Any]:
    """Return what a meter remembers as numbers and text."""
    failures, quality, alarms, limiter = state.failures, state.quality, state.alarms, state.limiter
    last = failures.last_long
    return {
        "events": [[e.at_cs, e.log, int(e.code), e.place] for ring in state.logs.rings.values() for e in ring],
        "event_count": state.logs.count,
        "failures": {
            "long_s": failures.long_s,
            "count": failures.count,
            "long_count": failures.long_count,
            "last_long": [last[0].isoformat(), last[1]] if last else None,
            "ring": [list(row) for row in failures.ring],
        },
        "quality": [quality.sag_dv, quality.swell_dv, quality.wait_s, quality.sags, quality.swells, int(quality.state)],
        "alarms": [alarms.registers, alarms.filters, alarms.descriptors],
        "switch": [int(state.switch.state), state.switch.mode, state.output_changed_s],
        "limiter": [limiter.threshold_w, limiter.over_s, limiter.under_s, limiter.is_exceeded],
        "setups": [[s.spread_s, s.retries, s.delay_s] for s in state.setups],
        "errors": state.errors,
        "received": state.received.last,
        "received_under": state.received_under,
        "image": _image_document(state.image),
    }


def _image_document(image: ImageTransfer) -> dict[str, Any]:
    return {
        "active": image.active.decode("ascii"),
        "is_enabled": image.is_enabled,
        "status": int(image.status),
        "identifier": image.identifier.decode("ascii"),
        "image": base64.b64encode(image.image).decode("ascii"),
        "has_block": "".join("1" if has else "0" for has in image.has_block),
    }


def restore_state(state: DeviceState, document: Any) -> None:
    """Bring a fresh state to what a document says.

    Args:
        state: a state as the meter leaves the factory.
        document: what :func:`state_document` gave.

    Raises:
        KeptStateError: it is something else; the state is then not to be used.
    """
    try:
        _restore_logs(state, document)
        _restore_settings(state, document)
        _restore_image(state.image, document["image"])
    except (KeyError, ValueError, TypeError, IndexError, binascii.Error) as error:
        raise KeptStateError(f"a meter's memory cannot be read: {type(error).__name__}") from None


def _restore_logs(state: DeviceState, document: Any) -> None:
    for at_cs, log, code, place in document["events"]:
        state.logs.rings[int(log)].append(LogEntry(int(at_cs), int(log), EventCode(code), int(place)))
    state.logs.count = int(document["event_count"])
    kept, failures = document["failures"], state.failures
    failures.long_s, failures.count, failures.long_count = kept["long_s"], kept["count"], kept["long_count"]
    if kept["last_long"] is not None:
        failures.last_long = (datetime.fromisoformat(kept["last_long"][0]), int(kept["last_long"][1]))
    failures.ring = deque(((int(end), int(s)) for end, s in kept["ring"]), maxlen=failures.ring.maxlen)


def _restore_settings(state: DeviceState, document: Any) -> None:
    quality, limiter = state.quality, state.limiter
    sag_dv, swell_dv, wait_s, sags, swells, kind = (int(v) for v in document["quality"])
    quality.sag_dv, quality.swell_dv, quality.wait_s = sag_dv, swell_dv, wait_s
    quality.sags, quality.swells, quality.state = sags, swells, EventCode(kind)
    registers, filters, descriptors = ([int(w) for w in words] for words in document["alarms"])
    state.alarms.registers, state.alarms.filters, state.alarms.descriptors = registers, filters, descriptors
    state.switch.state, state.switch.mode = ControlState(document["switch"][0]), int(document["switch"][1])
    state.output_changed_s = int(document["switch"][2])
    limiter.threshold_w, limiter.over_s, limiter.under_s = (int(v) for v in document["limiter"][:3])
    limiter.is_exceeded = bool(document["limiter"][3])
    for setup, (spread_s, retries, delay_s) in zip(state.setups, document["setups"], strict=True):
        setup.spread_s, setup.retries, setup.delay_s = int(spread_s), int(retries), int(delay_s)
    state.errors = int(document["errors"])
    state.received.last = None if document["received"] is None else int(document["received"])
    # Documents of earlier releases do not say it: their meters never forgot that they had taken keys.
    state.received_under = int(document.get("received_under", 0))


def _restore_image(image: ImageTransfer, kept: Any) -> None:
    image.active, image.identifier = kept["active"].encode("ascii"), kept["identifier"].encode("ascii")
    image.is_enabled, image.status = bool(kept["is_enabled"]), ImageStatus(kept["status"])
    image.image = bytearray(base64.b64decode(kept["image"], validate=True))
    image.has_block = [has == "1" for has in kept["has_block"]]
