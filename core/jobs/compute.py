"""Where work that fans out over songs runs: a pool of processes, one crash of which stops nothing else; or a Dask cluster."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from dataclasses import dataclass
from itertools import chain, islice
from multiprocessing.connection import wait as wait_for
from typing import TypeVar

from core.errors import GenrescopeError
from core.files import duration_in_words, size_in_words
from core.jobs.cluster import alone, cluster, is_dead, modest, went_away
from core.settings import Settings

Item = TypeVar("Item")
Result = TypeVar("Result")


CRASHED = "Reading this file crashed the decoder, twice. It is damaged in an unusual way."


@dataclass(frozen=True)
class Limits:
    """What one item may cost where this machine does it."""

    seconds: float = 24 * 3600.0
    memory_bytes: int | None = None
    is_guests: bool = False

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Those of reading a sound file."""
        return cls(settings.decode_time_limit_s, settings.decode_memory_bytes)

    @classmethod
    def of_guests(cls, settings: Settings) -> "Limits":
        """Those of reading what a guest has dropped."""
        return cls(settings.guest_decode_time_limit_s, settings.guest_decode_memory_bytes, is_guests=True)

    @property
    def too_slow(self) -> str:
        """Told of an item that was ended because its time was over."""
        told = f"Reading this file took longer than {duration_in_words(self.seconds)}, and was given up"
        return f"{told}." if self.is_guests else f"{told} (GENRESCOPE_DECODE_TIME_LIMIT_S)."

    @property
    def too_large(self) -> str:
        """Told of an item for which the memory did not suffice."""
        told = f"Reading this file takes more than {size_in_words(self.memory_bytes or 0)} of memory, and was given up"
        return f"{told}." if self.is_guests else f"{told} (GENRESCOPE_DECODE_MEMORY_BYTES)."


NO_LIMITS = Limits()


def fan_out(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    processes: int,
    check: Callable[[], None],
    scheduler: str = "",
    limits: Limits = NO_LIMITS,
) -> Generator[tuple[Item, Result | Exception], None, None]:
    """Yield (item, result or the error it raised) for every item, as they come.

    On `processes` processes of this machine, each item within `limits`, or on the Dask cluster whose `scheduler` is named.
    `check` is called often and may raise to stop; what runs is then abandoned. An item whose process dies (a crash in a
    decoder, out of memory) is tried again, and answered with an error if it goes on happening. Raises `ClusterError` if the
    cluster cannot be used.
    """
    if scheduler:
        return fan_out_far(function, items, check=check, scheduler=scheduler)
    return _on_processes(function, items, processes, check, limits)


def fan_out_far(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    check: Callable[[], None],
    scheduler: str,
    whole_workers: bool = False,
    crashed: str = CRASHED,
) -> Generator[tuple[Item, Result | Exception], None, None]:
    """As `fan_out`, on the cluster. Of what takes its workers down again and again `crashed` is told.

    Twice as many items are handed out as are done at once, so that no worker waits for the next. With `whole_workers`
    an item has a worker with all its threads to itself, and only as many are handed out as there are workers.
    What a worker that dies had before it is blamed together; so at the end each of these is tried once more on its own.
    """
    suspects: list[Item] = []
    way = alone if whole_workers else modest
    with cluster(scheduler) as far:

        def answers(some: Iterable[Item], most: int) -> Iterator[tuple[Item, Result | Exception]]:
            todo, running = iter(some), dict[Future[Result], Item]()
            while True:
                for item in islice(todo, most - len(running)):
                    running[far.executor.submit(way, function, item)] = item
                if not running:
                    return
                check()
                finished, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in finished:
                    item = running.pop(future)
                    try:
                        yield item, future.result()
                    except CancelledError:
                        raise went_away(scheduler) from None
                    except Exception as error:  # noqa: BLE001 - it is the item's answer
                        yield item, error

        for item, answer in answers(items, far.workers if whole_workers else 2 * far.threads):
            if is_dead(answer):
                suspects.append(item)
            else:
                yield item, answer
        for item, answer in answers(suspects, 1):
            yield item, GenrescopeError(crashed) if is_dead(answer) else answer


def _on_processes(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    processes: int,
    check: Callable[[], None],
    limits: Limits,
) -> Generator[tuple[Item, Result | Exception], None, None]:
    """As `fan_out`. What its process died of is done once more at the end, with nothing beside it."""
    suspects: list[Item] = []

    def answers(some: Iterable[Item], most: int) -> Iterator[tuple[Item, Result | Exception]]:
        todo = iter(some)
        running: dict[Future[Result], tuple[Item, float]] = {}
        while True:
            for item in islice(todo, most - len(running)):
                running[pool.schedule(function, args=[item], timeout=limits.seconds)] = item, time.monotonic()
            if not running:
                return
            check()
            finished, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in finished:
                item, begun = running.pop(future)
                error = future.exception()
                if isinstance(error, TimeoutError) and time.monotonic() - begun < limits.seconds:
                    todo = chain([item], todo)  # pebble goes by the clock on the wall, which was put forward
                elif isinstance(error, TimeoutError):
                    yield item, GenrescopeError(limits.too_slow)
                elif isinstance(error, MemoryError):
                    yield item, GenrescopeError(limits.too_large)
                else:
                    yield item, error if isinstance(error, Exception) else future.result()

    from pebble import ProcessExpired, ProcessPool  # only where there is a fan-out: a demo has no pebble

    pool = ProcessPool(
        max_workers=processes,
        context=_context(),
        initializer=begin_worker,
        initargs=[limits.memory_bytes],
    )
    try:
        for item, answer in answers(items, 2 * processes):
            if isinstance(answer, ProcessExpired):
                suspects.append(item)
            else:
                yield item, answer
        for item, answer in answers(suspects, 1):
            yield item, GenrescopeError(CRASHED) if isinstance(answer, ProcessExpired) else answer
    finally:  # at once: what the processes were writing is a temporary file
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def _context() -> multiprocessing.context.BaseContext:
    """How processes are started: as fresh ones, from a server that has loaded already what decodes, where there is such a thing.

    Forked from this process they could inherit a lock that a thread of it holds.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():  # Windows
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["core.audio.codes", "threadpoolctl", "pebble"])
    return context


def begin_worker(memory_bytes: int | None = None) -> None:
    """Make this process a modest helper: one thread of arithmetic, so much memory, and an end when its parent ends."""
    import numpy as np  # noqa: F401 - its BLAS must be loaded to be limited
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    if memory_bytes:
        limit_memory(memory_bytes)
    parent = multiprocessing.parent_process()

    def end_with_parent() -> None:
        assert parent is not None
        wait_for([parent.sentinel])
        os._exit(1)

    if parent is not None:
        threading.Thread(target=end_with_parent, daemon=True).start()


def limit_memory(most_bytes: int) -> None:
    """From here on this process gets no more memory than that, and `MemoryError` instead. Without effect on Windows."""
    try:
        import resource
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = most_bytes if hard == resource.RLIM_INFINITY else min(most_bytes, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
