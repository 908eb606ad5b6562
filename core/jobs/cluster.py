"""Where work fans out to beyond this machine: an existing Dask cluster, named by a setting.

What runs there is this project's own code, sent by reference: every worker needs Genrescope at the same version, and the
workspace at the same path. Whoever can reach a Dask scheduler can run code on its workers: keep it in a network of your
own, or behind TLS (Dask's own settings).
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any, TypeVar

from core.errors import ClusterError

Item = TypeVar("Item")
Result = TypeVar("Result")

CONNECT_S = 10.0
"""How long a scheduler may take to answer."""


@contextmanager
def cluster(address: str) -> Iterator[tuple[Executor, int]]:
    """The executor of the cluster at `address` (`tcp://host:8786`), and how many things it does at once.

    Raises `ClusterError`, in a plain sentence, where it cannot be used. At the end what was not begun is called off.
    """
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
        threads = sum(client.nthreads().values())
        if not threads:
            raise ClusterError(f"The Dask cluster at {address} has no worker. Start one: dask worker {address}")
        _check_versions(client, address)
        # A song whose worker dies is done again by another: the scheduler sees to it.
        executor: Executor = client.get_executor(pure=False)
        try:
            yield executor, threads
        finally:
            executor.shutdown(wait=False)


def modest(function: Callable[[Item], Result], item: Item) -> Result:
    """`function` with one thread of arithmetic: a cluster counts its threads itself."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return function(item)


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
