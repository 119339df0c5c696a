"""Run a process of the platform as it is, and write the TLS secrets of its links to the file in ``KEY_LOG``.

The product has no such switch on purpose: whoever has the secrets reads the link.
"""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Callable

from openami.app.process.__main__ import main
from openami.security import pki


def logged(make: Callable[..., ssl.SSLContext]) -> Callable[..., ssl.SSLContext]:
    """Return what makes the same contexts, with a key log."""

    def made(**files: object) -> ssl.SSLContext:
        context = make(**files)
        context.keylog_filename = os.environ["KEY_LOG"]
        return context

    return made


if __name__ == "__main__":
    pki.client_context = logged(pki.client_context)
    sys.exit(main())
