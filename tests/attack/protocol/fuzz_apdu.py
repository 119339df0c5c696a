"""The atheris target: ``python -m tests.attack.protocol.fuzz_apdu MINUTES [FOLDER]``.

Feeds every decoder with what the fuzzer makes of the seed messages until the minutes are over. The first octet of an
input says which decoder. Ends with a crash, an input over ten seconds, or memory over the limit, and keeps that input
in the folder.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

MAX_INPUT_OCTETS = 4_096
MAX_INPUT_S = 10
MAX_MEMORY_MB = 1_024


def main(minutes: float, folder: Path) -> None:
    # Imported here, because atheris is not installed everywhere and must see our modules being imported.
    import atheris

    with atheris.instrument_imports(include=["openami.protocol", "openami.headend"]):
        from tests.attack.protocol.invariants import DECODERS, check
    from tests.attack.protocol.seeds import MESSAGES

    def one_input(octets: bytes) -> None:
        if octets:
            check(DECODERS[octets[0] % len(DECODERS)], octets[1:])

    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, message in enumerate(MESSAGES):
        for decoder in range(len(DECODERS)):
            (corpus / f"seed-{number}-{decoder}").write_bytes(bytes((decoder,)) + message)
    options = [
        f"-max_total_time={max(1, round(minutes * 60))}",
        f"-max_len={MAX_INPUT_OCTETS}",
        f"-timeout={MAX_INPUT_S}",
        f"-rss_limit_mb={MAX_MEMORY_MB}",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main(float(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else Path(tempfile.mkdtemp(prefix="fuzz-apdu-")))
