"""An XML message as a tree of local names, with everything refused that XML can do beyond that.

A document type (entities, files, remote addresses), depth, size and count are refused before anything is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lxml import etree

from openami.mdm.exchange.errors import MessageRefusedError

MAX_OCTETS = 16 * 1024 * 1024
MAX_ELEMENTS = 1_000_000
MAX_DEPTH = 32
"""The deepest path we read has ten elements."""
MAX_TEXT = 200


def parse_tree(octets: bytes) -> etree._Element:
    """Return the root of a message.

    Raises:
        MessageRefusedError: too large, too deep, not well-formed, or with a document type.
    """
    if len(octets) > MAX_OCTETS:
        raise MessageRefusedError(0, f"over {MAX_OCTETS} octets: send it in several messages")
    if b"<!DOCTYPE" in octets or b"<!ENTITY" in octets:
        raise MessageRefusedError(0, "a document type is declared: messages have none, and it may hide data")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(octets, parser)
    except etree.XMLSyntaxError as error:
        raise MessageRefusedError(int(error.lineno or 0), f"not well-formed XML: {str(error.msg)[:100]}") from error
    # In another encoding the text above was not seen.
    information: Any = root.getroottree().docinfo
    if information.doctype:
        raise MessageRefusedError(1, "a document type is declared: messages have none, and it may hide data")
    _bounded(root)
    return root


def _bounded(root: etree._Element) -> None:
    level, seen = [root], 0
    for _ in range(MAX_DEPTH):
        seen += len(level)
        if seen > MAX_ELEMENTS:
            raise MessageRefusedError(0, f"over {MAX_ELEMENTS} elements: send it in several messages")
        level = [child for element in level for child in element]
        if not level:
            return
    raise MessageRefusedError(line_of(level[0]), f"elements lie deeper than {MAX_DEPTH}")


def name_of(element: etree._Element) -> str:
    """Return an element's local name."""
    return str(element.tag).rpartition("}")[2]


def line_of(element: etree._Element) -> int:
    """Return an element's line."""
    line: Any = element.sourceline
    return int(line or 0)


def children(element: etree._Element, name: str) -> Iterator[etree._Element]:
    """Yield the children of a local name."""
    return (c for c in element if name_of(c) == name)


def first(element: etree._Element | None, *path: str) -> etree._Element | None:
    """Return the first descendant along a path of local names; None where it ends early."""
    for name in path:
        element = next(children(element, name), None) if element is not None else None
    return element


def text(element: etree._Element | None, *path: str) -> str:
    """Return the text at a path, stripped and cut; empty where there is none."""
    found = first(element, *path)
    return (found.text or "").strip()[:MAX_TEXT] if found is not None else ""


def own_id(element: etree._Element | None) -> str:
    """Return what an object is called: its mRID, else its first name."""
    return text(element, "mRID") or text(element, "Names", "name")
