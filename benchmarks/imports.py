"""What Python imported, and how long that took: from the lines of `-X importtime`."""

from typing import NamedTuple


class Import(NamedTuple):
    """A module; `cumulative_ms` counts what it imported in turn."""

    name: str
    cumulative_ms: float


def imports(errors: str) -> list[Import]:
    """All imports told on a standard error, in the order in which they ended."""
    found = []
    for line in errors.splitlines():
        told = line.removeprefix("import time:").split("|")
        if line.startswith("import time:") and len(told) == 3 and told[1].strip().isdigit():
            found.append(Import(told[2].strip(), int(told[1]) / 1000))
    return found
