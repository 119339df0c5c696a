"""``python -m openami.app.bench.cycle``: the same as ``openami bench cycle``."""

import json

from openami.app.bench.cycle.running import run

if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
