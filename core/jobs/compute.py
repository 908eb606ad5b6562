"""Where work that fans out over songs runs: a pool of processes, one crash of which stops nothing else; or a Dask cluster."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.connection import wait as wait_for
from typing import TypeVar

from core.errors import GenrescopeError
from core.jobs.cluster import alone, cluster, is_dead, modest, went_away

Item = TypeVar("Item")
Result = TypeVar("Result")


def executor(processes: int) -> Executor:
    """A pool of `processes` fresh processes, one thread of arithmetic each, that end when this process does."""
    return ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"), initializer=begin_worker)


CRASHED = "Reading this file crashed the decoder, twice. It is damaged in an unusual way."


def fan_out(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    processes: int,
    check: Callable[[], None],
    scheduler: str = "",
) -> Generator[tuple[Item, Result | Exception], None, None]:
    """Yield (item, result or the error it raised) for every item, as they come.

    On `processes` processes of this machine, or on the Dask cluster whose `scheduler` is named. `check` is called often
    and may raise to stop; what runs is then abandoned. An item whose process dies (a crash in a decoder, out of memory) is
    tried again, and answered with an error if it goes on happening. Raises `ClusterError` if the cluster cannot be used.
    """
    if scheduler:
        return fan_out_far(function, items, check=check, scheduler=scheduler)
    return _on_processes(function, items, processes, check)


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
    function: Callable[[Item], Result], items: Iterable[Item], processes: int, check: Callable[[], None]
) -> Generator[tuple[Item, Result | Exception], None, None]:
    """As `fan_out`. What was running beside a process that died is done once more, each on its own."""
    suspects: list[Item] = []
    pool = executor(processes)
    running: dict[Future[Result], Item] = {}
    todo = iter(items)
    try:
        exhausted = False
        while True:
            broken = False
            while not (exhausted or broken) and len(running) < 2 * processes:
                try:
                    item = next(todo)
                    running[pool.submit(function, item)] = item
                except StopIteration:
                    exhausted = True
                except BrokenProcessPool:
                    suspects.append(item)
                    broken = True
            if exhausted and not running:
                break
            check()
            finished, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            for future in finished:
                item = running.pop(future)
                error = future.exception()
                if isinstance(error, BrokenProcessPool):
                    suspects.append(item)
                    broken = True
                else:
                    yield item, error if isinstance(error, Exception) else future.result()
            if broken:
                suspects += running.values()
                running = {}
                pool.shutdown(wait=False, cancel_futures=True)
                pool = executor(processes)
        for item in suspects:
            check()
            yield item, _alone(function, item)
    finally:
        _end(pool)


def _alone(function: Callable[[Item], Result], item: Item) -> Result | Exception:
    with executor(1) as pool:
        error = (future := pool.submit(function, item)).exception()
    if isinstance(error, BrokenProcessPool):
        return GenrescopeError(CRASHED)
    return error if isinstance(error, Exception) else future.result()


def _end(pool: Executor) -> None:
    """End the pool's processes now: what they were writing is a temporary file."""
    processes = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()


def begin_worker() -> None:
    """Make this process a modest helper: one thread of arithmetic, and an end when its parent ends."""
    import numpy as np  # noqa: F401 - its BLAS must be loaded to be limited
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)
    parent = multiprocessing.parent_process()

    def end_with_parent() -> None:
        assert parent is not None
        wait_for([parent.sentinel])
        os._exit(1)

    if parent is not None:
        threading.Thread(target=end_with_parent, daemon=True).start()
