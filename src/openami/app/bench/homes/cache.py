"""The cache of homes: one file of arrays a home, made once by ``make homes`` in a folder that git ignores."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from openami.app.bench.homes.home import Half, Home, split
from openami.app.bench.homes.sources import SOURCES, Source
from openami.kernel.errors import OpenAmiError

INSTALL_S = 600


class HomesUnavailableError(OpenAmiError):
    """The homes are not here, or their package cannot be installed; the text says what to do."""


def homes_folder() -> Path:
    """Return where homes are kept: ``OPENAMI_HOMES``, or ``.homes`` in the current folder."""
    return Path(os.environ.get("OPENAMI_HOMES", ".homes"))


def load_homes(*, folder: Path | None = None, half: Half | None = None, source: str | None = None) -> list[Home]:
    """Return cached homes by name.

    Args:
        folder: of the cache.
        half: only this half.
        source: only of this source.

    Raises:
        HomesUnavailableError: there is none.
    """
    folder = folder or homes_folder()
    homes = [_read(path) for path in sorted(folder.glob("*.npz"))]
    found = [h for h in homes if half in {None, h.half} and source in {None, h.source}]
    if not found:
        wanted = f"no home of {source or 'any source'} is in {folder}"
        raise HomesUnavailableError(f"{wanted}: run `make homes` (or name the folder in OPENAMI_HOMES)")
    return found


def build_homes(
    *, folder: Path, shared_data: Path, with_restricted: bool = False, tell: Callable[[str], None] = lambda _: None
) -> list[Home]:
    """Fill the cache with the homes of every source that is not there yet; return all homes.

    Args:
        folder: of the cache.
        shared_data: folder with the ``nem12`` files.
        with_restricted: also sources whose licence allows no more than a measure on one's own machine.
        tell: told, in a line, what is done with each source.

    Raises:
        HomesUnavailableError: a package cannot be installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for source in SOURCES:
        if any(folder.glob(f"{source.name}-*.npz")):
            tell(f"{source.name}: already here")
        elif not (source.is_open or with_restricted):
            tell(f"{source.name}: left out, its licence is {source.licence}")
        elif not source.package and not (shared_data / source.name).is_dir():
            tell(f"{source.name}: left out, it is not in {shared_data} (set OPENAMI_TEST_DATA)")
        else:
            homes = split(_fetched(source, shared_data))
            for home in homes:
                _write(folder, home)
            tell(f"{source.name}: {len(homes)} homes or halves of homes; {source.licence}")
    return load_homes(folder=folder)


def _fetched(source: Source, shared_data: Path) -> list[Home]:
    """Install the package into a folder that is thrown away, and read its homes. Nothing of it is run."""
    if not source.package:
        return source.read(shared_data)
    with tempfile.TemporaryDirectory(prefix="openami-homes-") as folder:
        wanted = f"{source.package}=={source.version}"
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-compile", "--target", folder]
        options = ["--only-binary", ":all:", "--disable-pip-version-check"]
        try:
            subprocess.run([*command, *options, wanted], check=True, capture_output=True, text=True, timeout=INSTALL_S)
        except subprocess.CalledProcessError as error:
            said = [line for line in error.stderr.splitlines() if line.strip()]
            raise HomesUnavailableError(f"{wanted}: {said[-1] if said else 'pip failed'}") from None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise HomesUnavailableError(f"{wanted}: {error}") from None
        return source.read(Path(folder))


def _write(folder: Path, home: Home) -> None:
    facts = [home.name, home.source, home.half.value, home.zone_name, str(home.interval_s), home.first.isoformat()]
    arrays: dict[str, Any] = {"delivered_wh": home.delivered_wh, "present": home.present}
    if home.received_wh is not None:
        arrays["received_wh"] = home.received_wh
    if home.voltage_dv is not None:
        arrays["voltage_dv"] = home.voltage_dv
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".draft-", delete=False) as draft:
        np.savez_compressed(draft, facts=np.array(facts), **arrays)
    Path(draft.name).rename(folder / f"{home.name}.npz")


def _read(path: Path) -> Home:
    with np.load(path) as file:
        name, source, half, zone_name, interval_s, first = file["facts"].tolist()
        return Home(
            name,
            source,
            Half(half),
            zone_name,
            int(interval_s),
            date.fromisoformat(first),
            file["delivered_wh"],
            file["present"],
            file.get("received_wh"),
            file.get("voltage_dv"),
        )
