"""Other libraries beside ours: each in a virtual environment of its own, run as a process of its own.

A peer is never imported here. Its environment is made by the command when it is first asked for, in ``.peers`` of the
current folder, and may be thrown away at any time.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(".peers")
INSTALL_S = 300
RUN_S = 300


class PeerUnavailableError(Exception):
    """The peer cannot be installed or run here; the text says why in a line."""


def peer_python(package: str, version: str, *, folder: Path = FOLDER, install_s: float = INSTALL_S) -> Path:
    """Return the interpreter of an environment that holds the package, making it where it is not there.

    Args:
        package: name in the package index.
        version: the one version that is measured.
        folder: where environments are kept.
        install_s: how long making the environment, and installing into it, may each take.

    Raises:
        PeerUnavailableError: no environment can be made: no network, no such package, no room.
    """
    home = (folder / f"{package}-{version}").absolute()
    python = home / "bin" / "python"
    if python.exists():
        return python
    folder.mkdir(parents=True, exist_ok=True)
    # Made under another name and moved when whole, so that a run that was broken off leaves nothing half made.
    draft = Path(tempfile.mkdtemp(prefix="draft-", dir=folder)).absolute()
    try:
        _call([sys.executable, "-m", "venv", str(draft)], install_s)
        _call([str(draft / "bin" / "python"), "-m", "pip", "install", "-q", f"{package}=={version}"], install_s)
        draft.rename(home)
    except OSError as error:
        # Another process may have made the same environment meanwhile: either will do.
        if not python.exists():
            raise PeerUnavailableError(str(error)) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return python


def run_peer(python: Path, script: Path, task: dict[str, Any]) -> dict[str, Any]:
    """Run a script in the peer's environment and return what it prints.

    Args:
        python: interpreter of the environment.
        script: a file that reads the path of a JSON file from its command line and prints JSON.
        task: what the JSON file holds.

    Raises:
        PeerUnavailableError: the script fails or does not end.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(task, file)
        file.flush()
        # Isolated from this installation's modules: -I leaves out PYTHONPATH and the current folder.
        answer: dict[str, Any] = json.loads(_call([str(python), "-I", str(script), file.name], RUN_S))
    return answer


def _call(command: list[str], timeout_s: float) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=True)
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if line.strip()]
        raise PeerUnavailableError(lines[-1] if lines else f"{command[0]} failed") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerUnavailableError(str(error)) from None
    return done.stdout
