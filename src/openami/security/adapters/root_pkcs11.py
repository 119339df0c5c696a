"""The root key in hardware: an AES-256 key of a PKCS#11 token that never leaves it. The token wraps and unwraps.

Layout of what it wraps: octet ``02`` | nonce 12 | ciphertext and tag 16, all made by the token with AES-GCM, so that
the context is bound as it is under a root key in a file. A key that its token would give away is refused.

Source: PKCS#11 3.1, 2.13.3 (CKM_AES_GCM); tried against SoftHSM 2.6.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from openami.security.adapters.closed_text import ClosedTextError, read_closed_line
from openami.security.keys.envelope import NONCE_OCTETS, KeyBindingError
from openami.security.keys.ports import RootKeyError, RootKeyUnavailableError
from openami.security.keys.secret import Secret

LAYOUT = 2
DEFAULT_LABEL = "openami-root"
_TAG_BITS = 128
_KEY_BITS = 256
_OVERHEAD_OCTETS = 1 + NONCE_OCTETS + _TAG_BITS // 8
# A login belongs to the whole process, so one call must not log another one out.
_ONE_AT_A_TIME = threading.Lock()
# A token locks itself after a few wrong PINs, and a process that polls would have done that in seconds.
_REFUSED: set[bytes] = set()


@dataclass(frozen=True, slots=True)
class Pkcs11RootKey:
    """A :class:`~openami.security.keys.ports.RootKey` in a token.

    Args:
        module: the token maker's library.
        token: label of the token.
        pin_file: file of ours alone with the user's PIN in its first line.
        label: label of the key.
    """

    module: Path
    token: str
    pin_file: Path = field(repr=False)
    label: str = DEFAULT_LABEL
    layout = LAYOUT

    def __str__(self) -> str:
        return f"key {self.label} of PKCS#11 token {self.token}"

    def ensure(self) -> None:
        """Make the key in the token if it is not there; it cannot be read out from its first instant.

        Raises:
            RootKeyError: the token is not there, refuses the PIN, or makes no such key.
        """
        pkcs11 = _library()
        with self._session(writing=True) as session:
            if any(session.get_objects(self._wanted())):
                return
            session.generate_key(
                pkcs11.KeyType.AES,
                _KEY_BITS,
                label=self.label,
                store=True,
                capabilities=pkcs11.MechanismFlag.ENCRYPT | pkcs11.MechanismFlag.DECRYPT,
                template={pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False},
            )

    def wrap(self, key: Secret, *, context: bytes, nonce: bytes) -> bytes:
        """Return a key wrapped by the token.

        Raises:
            RootKeyError: the token does not do it.
        """
        pkcs11 = _library()
        with self._session() as session:
            sealed = self._key(session).encrypt(
                key.reveal(),
                mechanism=pkcs11.Mechanism.AES_GCM,
                mechanism_param=pkcs11.GCMParams(nonce, context, _TAG_BITS),
            )
        return bytes([LAYOUT]) + nonce + bytes(sealed)

    def unwrap(self, wrapped: bytes, *, context: bytes) -> Secret:
        """Return a key that the token wrapped.

        Raises:
            KeyBindingError: the token does not open it in this context.
            RootKeyError: the token cannot be asked.
        """
        pkcs11 = _library()
        if len(wrapped) < _OVERHEAD_OCTETS or wrapped[0] != LAYOUT:
            raise KeyBindingError(f"a wrapped key of {len(wrapped)} octets is not of layout {LAYOUT}")
        nonce, sealed = wrapped[1 : 1 + NONCE_OCTETS], wrapped[1 + NONCE_OCTETS :]
        with self._session() as session:
            found = self._key(session)
            try:
                opened = found.decrypt(
                    sealed,
                    mechanism=pkcs11.Mechanism.AES_GCM,
                    mechanism_param=pkcs11.GCMParams(nonce, context, _TAG_BITS),
                )
            # Tokens disagree on what a wrong tag is; SoftHSM calls it a general error.
            except (
                pkcs11.exceptions.GeneralError,
                pkcs11.exceptions.EncryptedDataInvalid,
                pkcs11.exceptions.EncryptedDataLenRange,
            ):
                raise KeyBindingError("a wrapped key does not open in its context: it was altered or moved") from None
        return Secret(bytes(opened))

    @contextmanager
    def _session(self, *, writing: bool = False) -> Iterator[Any]:
        """Hold a session of the user with the token."""
        pkcs11 = _library()
        try:
            pin = read_closed_line(self.pin_file)
            attempt = sha256(f"{self.module}|{self.token}|{pin}".encode()).digest()
            if attempt in _REFUSED:
                raise RootKeyError(f"PKCS#11 token {self.token} refused this PIN before and is not asked again")
            with _ONE_AT_A_TIME:
                token = pkcs11.lib(str(self.module)).get_token(token_label=self.token)
                with token.open(rw=writing, user_pin=pin) as session:
                    yield session
        except ClosedTextError as error:
            raise RootKeyError(f"the PIN of token {self.token}: {error}") from error
        except (pkcs11.exceptions.PinIncorrect, pkcs11.exceptions.PinInvalid, pkcs11.exceptions.PinLenRange) as error:
            _REFUSED.add(attempt)
            raise RootKeyError(f"PKCS#11 token {self.token} refuses the PIN: {type(error).__name__}") from None
        except (pkcs11.PKCS11Error, RuntimeError, OSError) as error:
            # The text of such an error may hold what was given; its name says enough.
            words = f"PKCS#11 token {self.token} ({self.module}): {type(error).__name__}"
            raise RootKeyUnavailableError(words) from None

    def _wanted(self) -> dict[Any, Any]:
        pkcs11 = _library()
        return {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY, pkcs11.Attribute.LABEL: self.label}

    def _key(self, session: Any) -> Any:
        pkcs11 = _library()
        found = list(session.get_objects(self._wanted()))
        if len(found) != 1:
            raise RootKeyError(f"token {self.token} has {len(found)} keys of label {self.label}, expected one")
        if found[0][pkcs11.Attribute.EXTRACTABLE] or not found[0][pkcs11.Attribute.SENSITIVE]:
            raise RootKeyError(f"key {self.label} of token {self.token} can be read out: it is no root key")
        return found[0]


def _library() -> Any:
    try:
        import pkcs11
    except ImportError as error:
        raise RootKeyError("the root key is in a token: install the package python-pkcs11") from error
    return pkcs11
