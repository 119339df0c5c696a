"""The gateway's book of directives: the newest of each kind and part, from the bus and from its own disk.

A directive counts when the command process's key signed it, its number is higher than the one in force, and whoever
uses its kind can read its body. What is in force is kept on this disk, with its signature: a gateway starts without
core, and nobody who can empty the stream makes it forget, or can bring an older one back.

``directives/<kind>-<part>`` holds one directive as it came.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import structlog

from openami.contracts.directive import MAX_DIRECTIVE_OCTETS, Directive, DirectiveKind, decode_directive
from openami.contracts.errors import ContractError
from openami.network.ports import SigningKeys
from openami.security.closed_file import write_closed

_log = structlog.get_logger(__name__)
Taker = Callable[[Directive], None]
"""Puts a directive into force, or raises ContractError and changes nothing."""


class DirectiveBook:
    """Directives in force.

    Args:
        keys: whose directives count.
        folder: where they are kept; None for nowhere.
    """

    def __init__(self, keys: SigningKeys, folder: Path | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self._keys = keys
        self._folder = folder
        self._newest: dict[tuple[DirectiveKind, int], Directive] = {}
        self._takers: dict[DirectiveKind, list[Taker]] = {}
        self._unkept: set[tuple[DirectiveKind, int]] = set()
        self._load()

    def on(self, kind: DirectiveKind, take: Taker) -> None:
        """Put directives of a kind into force by ``take``, now and from now on."""
        self._takers.setdefault(kind, []).append(take)
        for place, directive in sorted(self._newest.items()):
            if place[0] is kind:
                try:
                    take(directive)
                except ContractError as error:
                    _log.warning("gateway.directive_unreadable", kind=kind.name.lower(), problem=str(error))

    def number(self, kind: DirectiveKind, part: int = 0) -> int:
        """Return the number of the directive in force, 0 where there is none."""
        newest = self._newest.get((kind, part))
        return newest.number if newest else 0

    def take(self, octets: bytes) -> bool:
        """Take a directive as it came from the bus; tell whether it is in force now and was not before."""
        try:
            directive = decode_directive(octets)
        except ContractError as error:
            self._refuse("unreadable", str(error))
            return False
        if directive.number <= self.number(*directive.place):
            # The bus says each one again now and then.
            return False
        if not self._is_signed(directive):
            self._refuse("not_signed", f"kind {directive.kind.name.lower()}, number {directive.number}")
            return False
        try:
            for take in self._takers.get(directive.kind, ()):
                take(directive)
        except ContractError as error:
            self._refuse("bad_body", str(error))
            return False
        self._newest[directive.place] = directive
        self._unkept.add(directive.place)
        self.counts["directives"] += 1
        return True

    def keep(self) -> None:
        """Write what is new to disk. Blocking; a disk that refuses is logged and tried again at the next call."""
        while self._unkept and self._folder is not None:
            place = next(iter(self._unkept))
            try:
                write_closed(self._folder / _name(*place), self._newest[place].encode())
            except OSError as error:
                _log.warning("gateway.directive_not_kept", cause=os.strerror(error.errno or 0))
                return
            self._unkept.discard(place)

    @property
    def has_unkept(self) -> bool:
        """Whether :meth:`keep` has anything to do."""
        return bool(self._unkept) and self._folder is not None

    def _is_signed(self, directive: Directive) -> bool:
        octets = directive.signed_octets()
        if self._keys.verifies(directive.signature, octets):
            return True
        # A command process that has just started may be ahead of the second's look at its keys.
        self._keys.refresh()
        return self._keys.verifies(directive.signature, octets)

    def _refuse(self, why: str, problem: str) -> None:
        self.counts[f"directives_{why}"] += 1
        _log.warning("gateway.directive_refused", why=why, problem=problem)

    def _load(self) -> None:
        if self._folder is None:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file in sorted(self._folder.glob("*-*")):
            try:
                if file.stat().st_size > MAX_DIRECTIVE_OCTETS:
                    raise ContractError("larger than any directive")  # noqa: TRY301 - one of the ways to be bad
                directive = decode_directive(file.read_bytes())
            except (OSError, ContractError) as error:
                _log.warning("gateway.directive_lost", file=file.name, cause=type(error).__name__)
                continue
            if _name(*directive.place) == file.name and self._is_signed(directive):
                self._newest[directive.place] = directive
            elif not file.name.endswith(".new"):
                self._refuse("not_signed", f"kept as {file.name}")


def _name(kind: DirectiveKind, part: int) -> str:
    return f"{kind.name.lower()}-{part}"
