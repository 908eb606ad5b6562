"""Where work fans out to beyond this machine: an existing Dask cluster, named by a setting.

What runs there is this project's own code, sent by reference: every worker needs Genrescope at the same version, and the
workspace at the same path. Whoever can reach a Dask scheduler can run code on its workers: keep it in a network of your
own, or behind TLS (Dask's own settings).

Parts: `cluster`, for fan-outs (`jobs.compute`); `FarPool`, for things with a time limit of their own, such as songs.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Executor, Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from typing import Any, TypeVar
from uuid import uuid4

from core.errors import ClusterError

Item = TypeVar("Item")
Result = TypeVar("Result")

CONNECT_S = 10.0
"""How long a scheduler may take to answer."""
RETURN_S = 10.0
"""How long is waited for a first worker: one whose process was ended comes back soon."""
END_S = 1.0
"""How long a process of a worker has to end by itself before it is killed."""
_ALONE = threading.Lock()


@dataclass(frozen=True)
class Cluster:
    """A cluster that answers: what hands it things to do, and how many workers and threads it has."""

    executor: Executor
    workers: int
    threads: int


@contextmanager
def cluster(address: str) -> Iterator[Cluster]:
    """The cluster at `address` (`tcp://host:8786`). At the end what was not begun is called off.

    Raises `ClusterError`, in a plain sentence, where it cannot be used.
    """
    with _connected(address) as client:
        threads = client.nthreads()
        # A song whose worker dies is done again by another: the scheduler sees to it.
        executor: Executor = client.get_executor(pure=False)
        try:
            yield Cluster(executor, len(threads), sum(threads.values()))
        finally:
            executor.shutdown(wait=False)


def went_away(address: str) -> ClusterError:
    """What is told when the scheduler at `address` is lost in the midst of work."""
    return ClusterError(f"The Dask scheduler at {address} went away. What was done is kept: start it, and go on.")


@dataclass
class _Task:
    """One thing that a cluster was asked to do: our future, Dask's, and the worker that has begun it ('' if none)."""

    ours: Future[Any]
    limit_s: float
    far: Any = None
    worker: str = ""
    timer: threading.Timer | None = None


@dataclass
class FarPool:
    """Does things on the cluster at `address`, each within a time limit. Stands for pebble's `ProcessPool`.

    Connects when it is first asked for something. What is not done when the block ends is ended, wherever it runs.
    """

    address: str
    _client: Any = None
    _stack: ExitStack = field(default_factory=ExitStack)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _running: dict[str, _Task] = field(default_factory=dict)
    _topic: str = field(default_factory=lambda: f"genrescope-{uuid4().hex}")

    def __enter__(self) -> "FarPool":
        """Nothing is asked yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End what runs, and let go of the cluster."""
        with self._lock:
            left = list(self._running.values())
            self._running.clear()
        if left:
            self._end(left)
        self._stack.close()

    def schedule(self, function: Callable[..., Any], *, args: Sequence[Any], timeout: float) -> Future[Any]:
        """Ask for `function(*args)`. Its future fails with `TimeoutError` `timeout` seconds after a worker has begun it.

        Waiting for a free worker is not counted. Where time is over the worker's process is ended, as a stuck thread
        cannot be, and its nanny begins a new one. Also in the future: what `function` raised; `ProcessExpired` (pebble's)
        if it takes its workers down; `ClusterError` if the scheduler went away. Raises `ClusterError` as `cluster` does.
        """
        if self._client is None:
            self._client = self._stack.enter_context(_connected(self.address))
            self._client.subscribe_topic(self._topic, self._begun)
        if self._client.status != "running":
            raise went_away(self.address)
        name, task = f"{self._topic}-{uuid4().hex}", _Task(Future(), timeout)
        with self._lock:
            self._running[name] = task
        task.far = self._client.submit(_telling, self._topic, name, function, tuple(args), key=name, pure=False)
        task.far.add_done_callback(partial(self._ended, name))
        return task.ours

    def _begun(self, event: tuple[float, dict[str, Any]]) -> None:
        """A worker says that it has begun something: the first, or another after that one died."""
        name, worker = event[1]["name"], event[1]["worker"]
        with self._lock:
            task = self._running.get(name)
            if task is None:
                return
            if task.timer:
                task.timer.cancel()
            task.worker = worker
            task.timer = threading.Timer(task.limit_s, self._expired, [name])
            task.timer.daemon = True
            task.timer.start()

    def _take(self, name: str) -> _Task | None:
        """Whoever gets it answers; None if it is answered, or nobody waits any more."""
        with self._lock:
            return self._running.pop(name, None)

    def _expired(self, name: str) -> None:
        if task := self._take(name):
            try:
                self._end([task])  # first: who asks for the same again must be alone at it
            finally:
                task.ours.set_exception(TimeoutError())

    def _ended(self, name: str, far: Any) -> None:
        task = self._take(name)
        if task is None:
            return
        if task.timer:
            task.timer.cancel()
        try:
            answer = far.result()
        except CancelledError:
            task.ours.set_exception(went_away(self.address))
        except Exception as error:  # noqa: BLE001 - it is the answer
            task.ours.set_exception(_expired_process() if is_dead(error) else error)
        else:
            task.ours.set_result(answer)

    def _end(self, tasks: Sequence[_Task]) -> None:
        """Call tasks off, and end the processes of the workers that have begun them."""
        for task in tasks:
            if task.timer:
                task.timer.cancel()
        with suppress(
            OSError, TimeoutError, KeyError
        ):  # the scheduler is gone, or does not know such a worker any more
            self._client.cancel([task.far for task in tasks])
            if workers := [task.worker for task in tasks if task.worker]:
                self._client.run(_end_process, workers=workers, nanny=True, on_error="ignore")


def _telling(topic: str, name: str, function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """On a worker: say that `function` is begun, then do it."""
    from distributed import get_worker

    worker: Any = get_worker()
    told = {"name": name, "worker": worker.address if worker.nanny else ""}  # only a nanny can end its process
    worker.log_event(topic, told)
    return modest(lambda given: function(*given), arguments)


async def _end_process(dask_worker: Any) -> None:
    """On the nanny of a worker (Dask wants the name): end the process that it looks after; it begins a new one."""
    await dask_worker.kill(timeout=END_S, reason="genrescope")


def _expired_process() -> Exception:
    from pebble import ProcessExpired

    return ProcessExpired("The workers that did it died.")  # type: ignore[no-untyped-call]


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """A client of the cluster at `address`, which has workers that speak as this machine does. Raises as `cluster`."""
    try:
        from distributed import Client
    except ImportError:
        raise ClusterError(
            "A Dask cluster is set (GENRESCOPE_DASK_SCHEDULER), but Dask is not installed here. "
            "Do: pip install -r requirements-cluster.txt"
        ) from None
    try:
        client: Any = Client(  # type: ignore[no-untyped-call]
            address, timeout=CONNECT_S, set_as_default=False, name="genrescope"
        )
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"The Dask scheduler at {address} does not answer ({str(error).splitlines()[0]}). Start it, or take "
            "GENRESCOPE_DASK_SCHEDULER out of your settings to work on this machine alone."
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=RETURN_S)
        except TimeoutError:
            raise ClusterError(
                f"The Dask cluster at {address} has no worker. Start one: dask worker {address}"
            ) from None
        _check_versions(client, address)
        yield client


def modest(function: Callable[[Item], Result], item: Item) -> Result:
    """`function` with one thread of arithmetic: a cluster counts its threads itself."""
    from threadpoolctl import threadpool_limits

    with _told_whole(), threadpool_limits(1):
        return function(item)


def alone(function: Callable[[Item], Result], item: Item) -> Result:
    """`function` with all threads of its worker, and nothing else of this kind beside it in the worker's process.

    What trains sets torch's dice, of which a process has one.
    """
    from threadpoolctl import threadpool_limits

    with _told_whole(), _ALONE, threadpool_limits(threads_here()):
        return function(item)


@contextmanager
def _told_whole() -> Iterator[None]:
    """An error goes home without those it came of: where one of them cannot be sent, Dask makes a mere text of all."""
    try:
        yield
    except Exception as error:
        error.__cause__ = error.__context__ = None
        raise


def threads_here() -> int:
    """How many threads the worker has that this runs on, as it was started (`--nthreads`)."""
    from distributed import get_worker

    worker: Any = get_worker()
    return int(worker.state.nthreads)


def is_dead(answer: object) -> bool:
    """Whether an answer is the error that the workers that tried something died of it."""
    return type(answer).__name__ == "KilledWorker"


def _check_versions(client: Any, address: str) -> None:
    """Raise `ClusterError` unless scheduler, workers and this process speak alike."""
    try:
        client.get_versions(check=True)
    except ValueError as error:
        told = " ".join(line.strip() for line in str(error).splitlines() if "|" in line)
        raise ClusterError(
            f"The Dask cluster at {address} runs other versions than this machine. Install the same on all: {told}"
        ) from error
    try:
        theirs = client.run(_version)
    except ImportError as error:
        raise ClusterError(
            f"A worker of the Dask cluster at {address} has no Genrescope ({error}). Install this version on it."
        ) from error
    ours = _version()
    for worker, told in theirs.items():
        if told != ours:
            raise ClusterError(
                f"The worker {worker} has Genrescope {told}, this machine {ours}. Install the same on all."
            )


def _version() -> str:
    return version("genrescope")
