"""A SoftHSM token for tests: a PKCS#11 token in software, of the distribution."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from openami.security.adapters.root_pkcs11 import Pkcs11RootKey

MODULES = (
    Path("/usr/lib/softhsm/libsofthsm2.so"),
    Path("/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"),
    Path("/usr/lib64/pkcs11/libsofthsm2.so"),
)
LABEL, PIN = "openami test", "a pin of tests 4711"


def softhsm_module() -> Path:
    """Return SoftHSM's library, or skip with the reason."""
    found = next((m for m in MODULES if m.exists()), None)
    if found is None or shutil.which("softhsm2-util") is None:
        pytest.skip("no SoftHSM here: apt-get install softhsm2")
    if importlib.util.find_spec("pkcs11") is None:
        pytest.skip("the package python-pkcs11 is not installed")
    return found


def make_token(folder: Path) -> Pkcs11RootKey:
    """Make a token in a folder, with its PIN beside it. The library reads where it is once in a process."""
    module = softhsm_module()
    (folder / "tokens").mkdir()
    conf = folder / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(conf)
    words = ["softhsm2-util", "--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", "an officer"]
    subprocess.run(words, check=True, capture_output=True, timeout=30)
    pin_file = folder / "pin"
    pin_file.touch(mode=0o600)
    pin_file.write_text(PIN + "\n")
    return Pkcs11RootKey(module, LABEL, pin_file)
