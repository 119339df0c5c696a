"""XML documents out: a root in its own namespace, and the text of the whole."""

from __future__ import annotations

from typing import Any

from lxml import etree


def root_in(namespace: str, name: str) -> etree._Element:
    """Return a new root element whose namespace is the document's default."""
    # The stubs know no default namespace, whose prefix is None.
    spaces: Any = {None: namespace}
    return etree.Element(f"{{{namespace}}}{name}", nsmap=spaces)


def document(root: etree._Element) -> str:
    """Return a document as UTF-8 text with its declaration."""
    octets: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return octets.decode()
