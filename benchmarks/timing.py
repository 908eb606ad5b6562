"""What a benchmark tells, and timing two things against each other, alternately, so that a noisy machine disturbs both alike."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

REPEATS = 5
"""Least number of repeats that a median is taken of."""


class Row(NamedTuple):
    """One line of the table.

    `number` is the claim's, 0 for what is told besides. `ratio` is what `reach` speaks of where it is a ratio; `held` says
    whether it was reached, None where nothing is claimed or nothing could be measured.
    """

    number: int
    claim: str
    measured: str
    reference: str
    ratio: float | None
    reach: str
    held: bool | None


def at_most(ratio: float, limit: float) -> tuple[float, str, bool]:
    """The last three columns of a row whose ratio may not exceed `limit`."""
    return float(ratio), f"at most {limit:g}", bool(ratio <= limit)


def at_least(ratio: float, limit: float) -> tuple[float, str, bool]:
    """The last three columns of a row whose ratio must reach `limit`."""
    return float(ratio), f"at least {limit:g}", bool(ratio >= limit)


def within(value: float, limit: float, unit: str, *, ratio: float | None = None) -> tuple[float | None, str, bool]:
    """The last three columns of a row whose measured value, and not its ratio, may not exceed `limit`."""
    return ratio, f"at most {limit:g} {unit}", bool(value <= limit)


def processor_s() -> float:
    """Processor time, user and system, of this process and of the processes it started that have ended."""
    import resource  # not on Windows

    usages = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def compare(
    ours: Callable[[], object],
    reference: Callable[[], object],
    *,
    repeats: int = REPEATS,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[float, float, float]:
    """(median seconds of ours, of the reference, median of the pairs' ratios ours / reference), after a warm-up."""
    ours(), reference()
    pairs = []
    for _ in range(repeats):
        begun = clock()
        ours()
        between = clock()
        reference()
        pairs.append((between - begun, clock() - between))
    return (
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
        statistics.median(a / b for a, b in pairs),
    )


def median_seconds(action: Callable[[], object], *, repeats: int = REPEATS) -> float:
    """Median duration of `action`, after a warm-up."""
    action()
    durations = []
    for _ in range(repeats):
        begun = time.perf_counter()
        action()
        durations.append(time.perf_counter() - begun)
    return statistics.median(durations)
