"""How the suite is shared among workers: a file stays whole, and whole platforms are started one after another.

Our own, because xdist marks groups in the text of a test's name, which pytest keeps in another form since 9.2.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

PLATFORMS = "tests/e2e/"


class PlatformsTogether(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives a worker whole files, and one of them everything that starts a platform."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return PLATFORMS if file.startswith(PLATFORMS) else file
