"""Print the portal's OpenAPI document, or write it to the file named: the web application's types are made from it.

Deterministic: the same code gives the same octets. Usage: ``python scripts/openapi.py [web/openapi.json]``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from openami.portal.application import openapi_document


def main() -> None:
    """Write or print the document."""
    text = json.dumps(openapi_document(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
