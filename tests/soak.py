"""How much of the long tests is done: a little in `make test-slow`, at length in `make soak`.

`GENRESCOPE_SOAK` says about how many minutes the open-ended tests may take together (0 unless told).
"""

import os

MINUTES = float(os.environ.get("GENRESCOPE_SOAK", "0"))
LONG = MINUTES > 0


def often(few: int, many: int) -> int:
    """How often something is done: `many` times at length."""
    return many if LONG else few
