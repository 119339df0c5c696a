"""The gateway's book of directives: signed, newer, readable, and kept."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from openami.contracts.command import Command, CommandClass
from openami.contracts.directive import Directive, DirectiveKind
from openami.contracts.directive_body import Revoked, encode_known_titles
from openami.contracts.stream import partition_of_octets
from openami.kernel.ids import SystemTitle
from openami.network.gateway.command import ListedSigningKeys, NoSigningKeys
from openami.network.gateway.directives import DirectiveBook
from openami.network.gateway.revoked import RevokedPeers
from openami.network.gateway.titles import DirectedTitles
from openami.security.pki import RevocationList
from openami.security.suites.ed25519 import public_key_of, sign

KEY, STRANGER = bytes(range(32)), bytes(range(1, 33))
TITLE = b"OAM\0\0\0\0\1"
PART = partition_of_octets(TITLE)


def signed(kind: DirectiveKind, number: int, body: bytes, *, part: int = 0, key: bytes = KEY) -> bytes:
    directive = Directive(kind, part, number, 1_000, body)
    return directive.signed_with(sign(directive.signed_octets(), private_key=key)).encode()


def keys_in(folder: Path) -> ListedSigningKeys:
    file = folder / "command_keys"
    file.write_text(public_key_of(KEY).hex())
    return ListedSigningKeys(file)


def peers(book: DirectiveBook, folder: Path) -> RevokedPeers:
    found = RevokedPeers(RevocationList(folder / "revoked"))
    book.on(DirectiveKind.REVOKED, found.take)
    return found


def test_a_newer_directive_replaces_and_an_older_one_never_does(tmp_path: Path) -> None:
    book = DirectiveBook(keys_in(tmp_path))
    refused = peers(book, tmp_path)
    assert book.take(signed(DirectiveKind.REVOKED, 5, Revoked(stolen={7: 10}).encode()))
    assert refused.refusal_of(7, 1) == "stolen"
    for number in (5, 4):
        assert not book.take(signed(DirectiveKind.REVOKED, number, Revoked().encode()))
    assert refused.refusal_of(7, 1) == "stolen"
    assert book.take(signed(DirectiveKind.REVOKED, 6, Revoked(frozenset({99})).encode()))
    assert (refused.refusal_of(7, 1), refused.refusal_of(7, 99)) == (None, "revoked")


def test_a_directive_of_anybody_else_changes_nothing(tmp_path: Path) -> None:
    book = DirectiveBook(keys_in(tmp_path))
    refused = peers(book, tmp_path)
    body = Revoked(stolen={7: 10}).encode()
    assert not book.take(signed(DirectiveKind.REVOKED, 9, body, key=STRANGER))
    altered = bytearray(signed(DirectiveKind.REVOKED, 9, body))
    altered[20] ^= 1
    assert not book.take(bytes(altered))
    assert not book.take(b"octets")
    assert refused.refusal_of(7, 1) is None
    assert (book.counts["directives_not_signed"], book.counts["directives_unreadable"]) == (2, 1)
    assert not DirectiveBook(NoSigningKeys()).take(signed(DirectiveKind.REVOKED, 9, body))


def test_the_signature_of_a_command_is_not_that_of_a_directive(tmp_path: Path) -> None:
    book = DirectiveBook(keys_in(tmp_path))
    unsigned = Directive(DirectiveKind.REVOKED, 0, 9, 1_000, Revoked().encode())
    apdu = unsigned.encode()
    command = Command(
        request_id=UUID(int=1), title=SystemTitle(TITLE), command_class=CommandClass.READ,
        client_port=1, server_port=1, expires_at_ms=1, approvals=(), apdu=apdu, digest=bytes(32),
    )  # fmt: skip
    assert not book.take(unsigned.signed_with(sign(command.signed_octets(), private_key=KEY)).encode())
    assert not book.take(unsigned.signed_with(sign(unsigned.encode()[:-64], private_key=KEY)).encode())


def test_a_body_that_cannot_be_read_leaves_what_was_in_force(tmp_path: Path) -> None:
    book = DirectiveBook(keys_in(tmp_path))
    refused = peers(book, tmp_path)
    book.take(signed(DirectiveKind.REVOKED, 5, Revoked(stolen={7: 10}).encode()))
    assert not book.take(signed(DirectiveKind.REVOKED, 6, b"spoiled"))
    assert refused.refusal_of(7, 1) == "stolen"
    assert book.number(DirectiveKind.REVOKED) == 5


def test_a_gateway_that_starts_without_core_knows_what_it_knew(tmp_path: Path) -> None:
    book = DirectiveBook(keys_in(tmp_path), tmp_path / "directives")
    assert book.take(signed(DirectiveKind.REVOKED, 5, Revoked(stolen={7: 10}).encode()))
    assert book.take(signed(DirectiveKind.KNOWN_TITLES, 1, encode_known_titles({TITLE: 1}), part=PART))
    book.keep()
    assert not book.has_unkept
    again = DirectiveBook(keys_in(tmp_path), tmp_path / "directives")
    titles = DirectedTitles()
    again.on(DirectiveKind.KNOWN_TITLES, titles.take)
    assert peers(again, tmp_path).refusal_of(7, 1) == "stolen"
    assert titles.least_suite(TITLE) == 1
    # Nor does an older one of the same stream come back.
    assert not again.take(signed(DirectiveKind.REVOKED, 4, Revoked().encode()))


def test_a_kept_directive_that_somebody_changed_is_not_believed(tmp_path: Path) -> None:
    book = DirectiveBook(keys_in(tmp_path), tmp_path / "directives")
    book.take(signed(DirectiveKind.REVOKED, 5, Revoked(stolen={7: 10}).encode()))
    book.keep()
    (file,) = (tmp_path / "directives").iterdir()
    for octets in (file.read_bytes()[:-1] + b"?", b"", b"torn"):
        file.write_bytes(octets)
        again = DirectiveBook(keys_in(tmp_path), tmp_path / "directives")
        assert again.number(DirectiveKind.REVOKED) == 0
    file.rename(file.with_name("known_titles-0"))
    assert DirectiveBook(keys_in(tmp_path), tmp_path / "directives").number(DirectiveKind.KNOWN_TITLES) == 0


def test_titles_of_a_partition_that_core_has_named_pass_alone() -> None:
    titles = DirectedTitles()
    other = next(t for i in range(9_999) if partition_of_octets(t := b"OAM" + i.to_bytes(5)) == PART and t != TITLE)
    assert other in titles
    titles.take(Directive(DirectiveKind.KNOWN_TITLES, PART, 1, 1, encode_known_titles({TITLE: 0})))
    assert TITLE in titles
    assert other not in titles
    elsewhere = next(t for i in range(99) if partition_of_octets(t := b"OAM" + i.to_bytes(5)) != PART)
    assert elsewhere in titles
