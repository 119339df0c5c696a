"""Where an installation's root key is: a file of its home, or a PKCS#11 token that the environment names.

``OPENAMI_PKCS11_MODULE`` (the maker's library), ``OPENAMI_PKCS11_TOKEN`` (the token's label),
``OPENAMI_PKCS11_PIN_FILE`` (a file of ours alone) and, where it is not ``openami-root``, ``OPENAMI_PKCS11_KEY``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from openami.app.settings import Home
from openami.security.adapters.root_file import FileRootKey
from openami.security.adapters.root_pkcs11 import DEFAULT_LABEL, Pkcs11RootKey
from openami.security.keys.ports import RootKeyError
from openami.security.keys.roots import RootKeys

PREFIX = "OPENAMI_PKCS11_"
_NEEDED = ("MODULE", "TOKEN", "PIN_FILE")


def file_root(home: Home) -> FileRootKey:
    """Return the root key in the home's own file, whether it is there or not."""
    return FileRootKey(home.folder("keys") / "root.key")


def token_root(environment: Mapping[str, str]) -> Pkcs11RootKey | None:
    """Return the root key in the token that the environment names, or None where it names none.

    Raises:
        RootKeyError: it names a part of it.
    """
    said = {name: environment.get(PREFIX + name, "") for name in _NEEDED}
    if not any(said.values()):
        return None
    missing = [PREFIX + name for name in _NEEDED if not said[name]]
    if missing:
        raise RootKeyError(f"the root key is in a token: set {' and '.join(missing)} too")
    label = environment.get(PREFIX + "KEY") or DEFAULT_LABEL
    return Pkcs11RootKey(Path(said["MODULE"]), said["TOKEN"], Path(said["PIN_FILE"]), label)


def root_keys(home: Home, environment: Mapping[str, str]) -> RootKeys:
    """Return the root key of an installation: the token's where there is one, else the file's, made at first use.

    With a token, the file still opens what it wrapped before, as long as it is there.
    """
    file, token = file_root(home), token_root(environment)
    if token is None:
        file.ensure()
        return RootKeys((file,))
    return RootKeys((token, file) if file.path.exists() else (token,))
