"""Timing two things against each other, alternately, so that a noisy machine disturbs both alike."""

import statistics
import time
from collections.abc import Callable


def compare(
    ours: Callable[[], object],
    reference: Callable[[], object],
    *,
    repeats: int = 5,
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
