"""The standard's reply to a message: a result, an error for each record that was not taken, an id for each that was.

Source: IEC 61968-100, ResponseMessage with Reply. Error codes are words of ours: the standard's list has none for most
of these reasons.
"""

from __future__ import annotations

from uuid import UUID, uuid5

from lxml import etree

from openami.mdm.exchange.acknowledgement import Acknowledgement, Answer, Result
from openami.mdm.exporting.cim import stamp
from openami.mdm.exporting.markup import document, root_in

MESSAGE = "http://iec.ch/TC57/2011/schema/message"
_REPLIES = UUID("6e3d7a34-7f2b-4f3e-8d8a-2f7b6b6f0b11")


def reply_text(found: Acknowledgement, *, noun: str, correlation: str) -> str:
    """Return an acknowledgement as a ResponseMessage.

    Args:
        found: the answers.
        noun: the request's.
        correlation: the request's correlation id, or its message id.
    """
    root, payload = reply_root(found, noun=noun, correlation=correlation)
    root.remove(payload)
    return document(root)


def reply_root(found: Acknowledgement, *, noun: str, correlation: str) -> tuple[etree._Element, etree._Element]:
    """Return an acknowledgement as a ResponseMessage that still grows, and its empty Payload.

    Args:
        found: the answers.
        noun: the request's.
        correlation: the request's correlation id, or its message id.
    """
    root = root_in(MESSAGE, "ResponseMessage")
    header = _child(root, "Header")
    for name, value in (
        ("Verb", "reply"), ("Noun", noun), ("Timestamp", stamp(found.at)), ("Source", "openami"),
        ("MessageID", str(uuid5(_REPLIES, f"{found.sender}/{found.message}"))), ("CorrelationID", correlation),
    ):  # fmt: skip
        _child(header, name, value)
    reply = _child(root, "Reply")
    _child(reply, "Result", _result(found))
    for one in found.answers:
        if one.result in {Result.REJECTED, Result.HELD}:
            _error(reply, one)
    for one in found.answers:
        if one.result in {Result.ACCEPTED, Result.UNCHANGED}:
            identity = _child(reply, "ID", one.id)
            identity.set("kind", one.kind)
            identity.set("objectType", one.result.value)
    return root, _child(root, "Payload")


def _result(found: Acknowledgement) -> str:
    taken = found.counts["accepted"] + found.counts["unchanged"]
    return "OK" if taken == len(found.answers) else "PARTIAL" if taken else "FAILED"


def _error(reply: etree._Element, one: Answer) -> None:
    error = _child(reply, "Error")
    _child(error, "code", one.code)
    _child(error, "level", "WARNING" if one.result is Result.HELD else "FATAL")
    _child(error, "reason", one.reason)
    named = _child(error, "Object")
    _child(named, "mRID", one.id)
    _child(named, "objectType", one.kind)


def _child(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    found = etree.SubElement(parent, f"{{{MESSAGE}}}{name}")
    found.text = text
    return found
