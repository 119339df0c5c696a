"""Where each peer lives: an environment of its own under ``.peers``, which git ignores, made at first use."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openami.app.bench.peers import peer_python, run_peer

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".peers"
DRIVERS = Path(__file__).parent / "drivers"
INSTALL_S = 45.0
"""For each of making an environment and installing into it; all three take about 25 s where the index is near."""
START_S = 20.0
VERSIONS: Mapping[str, str] = {"pydlms-client[crypto]": "0.1.0", "dlms-cosem": "25.1.0", "gurux-dlms": "1.0.203"}


@dataclass(frozen=True, slots=True)
class Peer:
    """One peer that can be run."""

    name: str
    python: Path

    def run(self, driver: str, task: Mapping[str, Any]) -> dict[str, Any]:
        """Run a driver and return what it prints. Raises PeerUnavailableError with the last line of what it said."""
        return run_peer(self.python, DRIVERS / f"{driver}.py", dict(task))

    @contextmanager
    def serving(self, driver: str, task: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """Run a driver that serves until the block ends; gives the line that it prints when it is ready."""
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(dict(task), file)
            file.flush()
            command = [str(self.python), "-I", str(DRIVERS / f"{driver}.py"), file.name]
            with subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            ) as process:
                assert process.stdin is not None
                assert process.stdout is not None
                try:
                    yield json.loads(process.stdout.readline())
                finally:
                    process.stdin.close()
                    process.wait(START_S)


def peers() -> dict[str, Peer]:
    """Return every peer by the name of its library. Raises PeerUnavailableError where one cannot be installed."""

    def made(library: str) -> Peer:
        version = VERSIONS[library]
        python = peer_python(library, version, folder=FOLDER, install_s=INSTALL_S)
        return Peer(f"{library.partition('[')[0]} {version}", python)

    with ThreadPoolExecutor(len(VERSIONS)) as pool:
        return {p.name.partition(" ")[0]: p for p in pool.map(made, VERSIONS)}
