"""Fan-outs on a real Dask cluster: a scheduler and two workers, each a process of its own, on loopback."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pebble import ProcessExpired

from core.audio.store import SpectrogramStore
from core.database import Database
from core.errors import ClusterError, GenrescopeError, JobStopped
from core.jobs import cluster as clusters
from core.jobs.cluster import FarPool
from core.jobs.compute import fan_out, fan_out_far
from core.library.importing import import_folder
from core.library.preprocessing import preprocess
from core.library.store import Library
from core.recipes import SpectrogramRecipe
from core.settings import Settings
from tests.cluster import Cluster, asking, pids, running
from tests.jobs.test_compute import (
    crash_as_told,
    go_on,
    is_alive,
    name_and_sleep,
    square_if_even,
    threads_of_arithmetic,
    until,
)

pytestmark = pytest.mark.slow

RECIPE = SpectrogramRecipe()


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler with two workers of one thread."""
    with running(tmp_path_factory.mktemp("cluster")) as address:
        yield address


def test_every_item_is_answered_once_with_its_result_or_its_error(scheduler: str) -> None:
    answers = dict(fan_out(square_if_even, range(20), processes=1, check=go_on, scheduler=scheduler))
    assert {n: answer for n, answer in answers.items() if n % 2 == 0} == {n: n * n for n in range(0, 20, 2)}
    odd = {n: answer for n, answer in answers.items() if n % 2}
    assert all(isinstance(error, GenrescopeError) and str(error) == f"{n} is odd" for n, error in odd.items())


class Unsendable(Exception):
    """As errors of yt-dlp, which hold frames and sockets."""

    def __reduce__(self) -> Any:
        raise TypeError("cannot be sent")


def fail_because(n: int) -> None:
    try:
        raise Unsendable
    except Unsendable as error:
        raise GenrescopeError(f"{n} failed") from error


@pytest.mark.parametrize("whole_workers", [False, True])
def test_an_error_comes_home_as_what_it_is_whatever_it_came_of(scheduler: str, whole_workers: bool) -> None:
    ((_, error),) = fan_out_far(fail_because, [1], check=go_on, scheduler=scheduler, whole_workers=whole_workers)
    assert type(error) is GenrescopeError and str(error) == "1 failed"


def test_workers_are_modest(scheduler: str) -> None:
    ((_, threads),) = fan_out(threads_of_arithmetic, [0], processes=1, check=go_on, scheduler=scheduler)
    assert set(threads) == {1}  # type: ignore[arg-type]


def test_a_dead_worker_loses_only_what_it_was_doing(scheduler: str, tmp_path: Path) -> None:
    items = [("once", str(tmp_path / "once")), *(("fine", str(tmp_path / str(n))) for n in range(6))]
    answers = dict(fan_out(crash_as_told, items, processes=1, check=go_on, scheduler=scheduler))
    assert answers == {item: item[0] for item in items}
    assert (tmp_path / "once").stat().st_size == 2


def test_an_item_that_kills_its_workers_is_answered_with_an_error(scheduler: str, tmp_path: Path) -> None:
    items = [("always", str(tmp_path / "always")), ("fine", str(tmp_path / "fine"))]
    answers = dict(fan_out(crash_as_told, items, processes=1, check=go_on, scheduler=scheduler))
    assert answers[items[1]] == "fine"
    assert isinstance(answers[items[0]], GenrescopeError) and "crashed" in str(answers[items[0]])


def test_the_same_spectrograms_come_out_and_it_goes_on_after_a_stop(
    scheduler: str, songs_folder: Path, tmp_path: Path
) -> None:
    def made(home: Path, **settings: Any) -> tuple[dict[str, bytes], list[Any]]:
        told = Settings(home=home, processes=1, **settings)
        library = Library(Database(told.database))
        import_folder(library, told, songs_folder, genre_from="folder")
        asked = 0

        def stop() -> None:
            nonlocal asked
            asked += 1
            if asked == 3:
                raise JobStopped("Stopped.")

        if "dask_scheduler" in settings:
            with pytest.raises(JobStopped):
                preprocess(library, told, RECIPE, check=stop)
        preprocess(library, told, RECIPE)
        store = SpectrogramStore(told.spectrograms, RECIPE.fingerprint)
        songs = library.songs(RECIPE.fingerprint)
        return {song.sha256: store.path(song.sha256).read_bytes() for song in songs}, [song.n_frames for song in songs]

    near, far = made(tmp_path / "near"), made(tmp_path / "far", dask_scheduler=scheduler)
    assert len(near[0]) == 24 and near == far


def test_nothing_to_do_asks_nobody(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, dask_scheduler="tcp://127.0.0.1:1")
    preprocess(Library(Database(settings.database)), settings, RECIPE)


def test_a_scheduler_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "CONNECT_S", 0.5)
    with pytest.raises(ClusterError, match="does not answer") as told:
        list(fan_out(square_if_even, [2], processes=1, check=go_on, scheduler="tcp://127.0.0.1:1"))
    assert "GENRESCOPE_DASK_SCHEDULER" in str(told.value)


def test_a_cluster_without_a_worker_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "RETURN_S", 0.5)
    alone = Cluster(tmp_path)
    try:
        with pytest.raises(ClusterError, match="has no worker"):
            list(fan_out(square_if_even, [2], processes=1, check=go_on, scheduler=alone.begin()))
    finally:
        alone.end()


def test_other_versions_are_told(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "version", lambda name: "0.0.1")
    with pytest.raises(ClusterError, match=r"has Genrescope .*, this machine 0\.0\.1"):
        list(fan_out(square_if_even, [2], processes=1, check=go_on, scheduler=scheduler))


def test_a_scheduler_that_goes_away_is_told(tmp_path: Path) -> None:
    short = Cluster(tmp_path)
    try:
        address = short.begin()
        short.join(address)

        def go_away() -> None:
            short.running[0].kill()

        with asking(address) as client:
            client.wait_for_workers(1, timeout=60)
        checks: list[Callable[[], None]] = [go_away]
        with pytest.raises(ClusterError, match="went away"):
            list(
                fan_out(
                    slow, range(4), processes=1, check=lambda: checks.pop()() if checks else None, scheduler=address
                )
            )
    finally:
        short.end()


def slow(n: int) -> int:
    time.sleep(60)
    return n


# -- with a worker to itself -------------------------------------------------------------------------------------------


def test_what_has_a_worker_to_itself_has_all_its_threads_and_nothing_like_it_beside(tmp_path: Path) -> None:
    broad = Cluster(tmp_path)
    try:
        address = broad.begin()
        broad.join(address, threads=3)
        with asking(address) as client:
            client.wait_for_workers(1, timeout=60)
        alone = dict(fan_out_far(threads_of_arithmetic, range(2), check=go_on, scheduler=address, whole_workers=True))
        assert all(set(threads) == {3} for threads in alone.values())
        with asking(address) as client:
            both = client.gather(client.map(_begun_and_ended, range(2), pure=False))
        (_, first_ended), (second_begun, _) = sorted(both)
        assert first_ended <= second_begun
    finally:
        broad.end()


def _begun_and_ended(n: int) -> tuple[float, float]:
    return clusters.alone(_times, n)


def _times(_: int) -> tuple[float, float]:
    begun = time.monotonic()
    time.sleep(0.3)
    return begun, time.monotonic()


def test_what_takes_its_workers_down_is_told_in_the_callers_words(scheduler: str, tmp_path: Path) -> None:
    deadly = ("always", str(tmp_path / "always"))
    ((_, answer),) = fan_out_far(
        crash_as_told, [deadly], check=go_on, scheduler=scheduler, whole_workers=True, crashed="It died."
    )
    assert isinstance(answer, GenrescopeError) and str(answer) == "It died."


# -- one by one, each within its time ----------------------------------------------------------------------------------


def test_a_pool_answers_with_results_and_errors_and_asks_nobody_before(scheduler: str) -> None:
    with FarPool("tcp://127.0.0.1:1"):
        pass
    with FarPool(scheduler) as pool:
        two, three = (pool.schedule(square_if_even, args=[n], timeout=60) for n in (2, 3))
        assert two.result(20) == 4
        with pytest.raises(GenrescopeError, match="3 is odd"):
            three.result(20)


def test_time_counts_from_when_a_worker_begins(scheduler: str) -> None:
    with FarPool(scheduler) as pool:
        waiting = [pool.schedule(time.sleep, args=[1.0], timeout=1.8) for _ in range(4)]  # two at once
        assert [future.result(20) for future in waiting] == [None] * 4


def test_where_time_is_over_the_process_ends_and_the_worker_goes_on(scheduler: str, tmp_path: Path) -> None:
    before = pids(scheduler)
    with FarPool(scheduler) as pool:
        stuck = pool.schedule(name_and_sleep, args=[str(tmp_path)], timeout=0.5)
        with pytest.raises(TimeoutError):
            stuck.result(20)
        (pid,) = (int(file.name) for file in tmp_path.iterdir())
        assert pid in before and not is_alive(pid), "nothing goes on with it when that is told"
        assert pool.schedule(square_if_even, args=[4], timeout=60).result(20) == 16
    assert until(lambda: len(pids(scheduler)) == 2 and pid not in pids(scheduler)), "its nanny has begun another"


def test_what_takes_its_workers_down_has_expired(scheduler: str, tmp_path: Path) -> None:
    with FarPool(scheduler) as pool, pytest.raises(ProcessExpired):
        pool.schedule(crash_as_told, args=[("always", str(tmp_path / "always"))], timeout=60).result(30)


def test_what_is_not_done_at_the_end_is_ended(scheduler: str, tmp_path: Path) -> None:
    with FarPool(scheduler) as pool:
        for _ in range(3):
            pool.schedule(name_and_sleep, args=[str(tmp_path)], timeout=60)
        assert until(lambda: len(list(tmp_path.iterdir())) == 2)
        time.sleep(0.3)  # until it is known here, too
    begun = [int(file.name) for file in tmp_path.iterdir()]
    assert len(begun) == 2 and not any(map(is_alive, begun))
    assert until(lambda: len(pids(scheduler)) == 2)
    assert len(list(tmp_path.iterdir())) == 2, "what waited is not begun"


def test_a_scheduler_that_goes_away_is_told_by_the_pool(tmp_path: Path) -> None:
    short = Cluster(tmp_path)
    try:
        address = short.begin()
        short.join(address)
        with asking(address) as client:
            client.wait_for_workers(1, timeout=60)
        with FarPool(address) as pool:
            future = pool.schedule(slow, args=[1], timeout=60)
            time.sleep(0.5)
            short.running[0].kill()
            with pytest.raises(ClusterError, match="went away"):
                future.result(20)
            with pytest.raises(ClusterError, match="went away"):
                pool.schedule(slow, args=[1], timeout=60)
    finally:
        short.end()
