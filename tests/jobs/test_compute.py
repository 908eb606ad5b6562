"""The fan-out: every item is answered, whatever happens to the processes."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import GenrescopeError, JobStopped
from core.jobs.compute import CRASHED, Limits, fan_out
from core.settings import Settings

PROJECT = Path(__file__).resolve().parents[2]


def go_on() -> None:
    """A `check` that never stops."""


def until(condition, *, within_s: float = 30.0) -> bool:
    """Poll `condition` until it holds; False if it does not in time."""
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def is_alive(pid: int) -> bool:
    """Whether a process runs (one that has ended and waits to be reaped does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


# -- what runs in the processes ----------------------------------------------------------------------------------------


def square_if_even(n: int) -> int:
    if n % 2:
        raise GenrescopeError(f"{n} is odd")
    return n * n


def crash_as_told(item: tuple[str, str]) -> str:
    """`item` is (what to do, a file that tells how often it was done)."""
    what, file = item
    with Path(file).open("a") as stream:
        stream.write("x")
    if what == "always" or (what == "once" and Path(file).stat().st_size == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    return what


def name_and_sleep(folder: str) -> None:
    Path(folder, str(os.getpid())).touch()
    time.sleep(600)


def threads_of_arithmetic(_: int) -> list[int]:
    import numpy as np
    from threadpoolctl import threadpool_info

    np.ones((64, 64)) @ np.ones((64, 64))
    return [library["num_threads"] for library in threadpool_info()]


def loop_or_eat(what: str) -> str:
    while what == "loop":
        pass
    if what == "eat":
        hoard = []
        while True:
            hoard.append(bytearray(50_000_000))
    return what


# -- tests -------------------------------------------------------------------------------------------------------------


def test_every_item_is_answered_once_with_its_result_or_its_error() -> None:
    answers = dict(fan_out(square_if_even, range(20), processes=2, check=go_on))
    assert {n: answer for n, answer in answers.items() if n % 2 == 0} == {n: n * n for n in range(0, 20, 2)}
    errors = {n: answer for n, answer in answers.items() if n % 2}
    assert len(errors) == 10
    assert all(type(error) is GenrescopeError and str(error) == f"{n} is odd" for n, error in errors.items())


def test_nothing_to_do_is_no_trouble() -> None:
    assert list(fan_out(square_if_even, [], processes=2, check=go_on)) == []


def test_an_item_that_kills_its_process_each_time_is_told_and_harms_no_other(tmp_path: Path) -> None:
    items = [("fine", str(tmp_path / f"fine{n}")) for n in range(6)]
    deadly = ("always", str(tmp_path / "always"))
    answers = list(fan_out(crash_as_told, [*items[:2], deadly, *items[2:]], processes=2, check=go_on))
    assert sorted(item for item, _ in answers) == sorted([*items, deadly])
    told = dict(answers)
    error = told.pop(deadly)
    assert isinstance(error, GenrescopeError) and "crashed" in str(error)
    assert set(told.values()) == {"fine"}
    assert Path(deadly[1]).stat().st_size == 2, "tried once, and once more on its own"


def test_an_item_that_kills_its_process_once_is_answered_the_second_time(tmp_path: Path) -> None:
    items = [("fine", str(tmp_path / "before")), ("once", str(tmp_path / "once")), ("fine", str(tmp_path / "after"))]
    assert dict(fan_out(crash_as_told, items, processes=1, check=go_on)) == {item: item[0] for item in items}


def test_items_are_taken_only_as_they_are_needed() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for n in range(0, 60, 2):
            taken += 1
            yield n

    for answered, _ in enumerate(fan_out(square_if_even, items(), processes=1, check=go_on), start=1):
        assert taken <= answered + 2, "no more than two items ahead for each process"
    assert taken == 30


def test_a_check_that_raises_stops_it_and_its_processes_end(tmp_path: Path) -> None:
    def stop_when_begun() -> None:
        if len(list(tmp_path.iterdir())) == 2:
            raise JobStopped("Stopped.")

    before = set(multiprocessing.active_children())
    with pytest.raises(JobStopped):
        list(fan_out(name_and_sleep, [str(tmp_path)] * 4, processes=2, check=stop_when_begun))
    assert until(lambda: set(multiprocessing.active_children()) <= before)
    assert len(list(tmp_path.iterdir())) == 2


def test_closing_it_early_ends_its_processes() -> None:
    before = set(multiprocessing.active_children())
    answers = fan_out(square_if_even, range(0, 200, 2), processes=2, check=go_on)
    next(answers)
    assert set(multiprocessing.active_children()) - before
    answers.close()
    assert until(lambda: set(multiprocessing.active_children()) <= before)


def test_each_process_does_arithmetic_in_one_thread() -> None:
    [(_, counts)] = fan_out(threads_of_arithmetic, [0], processes=1, check=go_on)
    assert counts and set(counts) == {1}


PARENT = """
import sys
from core.jobs.compute import CRASHED, Limits, fan_out
from tests.jobs.test_compute import go_on, name_and_sleep
if __name__ == "__main__":
    list(fan_out(name_and_sleep, [sys.argv[1]] * 2, processes=2, check=go_on))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
def test_processes_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    begun = tmp_path / "begun"
    begun.mkdir()
    parent = subprocess.Popen(
        [sys.executable, script, begun],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stderr=subprocess.DEVNULL,  # a killed parent's semaphores are told of
    )
    try:
        assert until(lambda: len(list(begun.iterdir())) == 2 or parent.poll() is not None)
    finally:
        parent.kill()
        parent.wait()
    children = [int(file.name) for file in begun.iterdir()]
    assert len(children) == 2
    assert until(lambda: not any(map(is_alive, children)))


@pytest.mark.slow
def test_what_never_ends_or_eats_memory_is_given_up_and_harms_no_other() -> None:
    limits = Limits(seconds=8.0, memory_bytes=600_000_000)
    items = ["fine", "loop", "eat", *(f"fine {number}" for number in range(10))]
    begun = time.monotonic()
    answers = dict(fan_out(loop_or_eat, items, processes=2, check=go_on, limits=limits))
    assert str(answers.pop("loop")) == limits.too_slow and "8 s" in limits.too_slow
    assert str(answers.pop("eat")) == limits.too_large and "600.0 MB" in limits.too_large
    assert answers == {item: item for item in items if item.startswith("fine")}
    assert time.monotonic() - begun < 60


def test_guests_have_less_and_are_told_no_setting(settings: Settings) -> None:
    usual, guests = Limits.of(settings), Limits.of_guests(settings)
    assert guests.seconds < usual.seconds and (guests.memory_bytes or 0) < (usual.memory_bytes or 0)
    assert "GENRESCOPE_DECODE" in usual.too_slow and "GENRESCOPE_DECODE" in usual.too_large
    assert "longer than 1 min" in guests.too_slow and "250.0 MB" in guests.too_large
    assert "GENRESCOPE" not in guests.too_slow + guests.too_large


def wait_a_little(_: int) -> str:
    time.sleep(1.0)
    return "done"


def test_a_clock_that_jumps_by_a_day_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = time.time

    def jump() -> None:
        monkeypatch.setattr(time, "time", lambda: wall() + 86_400)

    answers = fan_out(wait_a_little, range(3), processes=1, check=jump, limits=Limits(seconds=30.0))
    assert dict(answers) == dict.fromkeys(range(3), "done")


def test_one_crash_in_a_hundred_is_one_failure(tmp_path: Path) -> None:
    items = [("always" if n == 50 else "fine", str(tmp_path / str(n))) for n in range(100)]
    answers = dict(fan_out(crash_as_told, items, processes=2, check=go_on, limits=Limits(seconds=30.0)))
    assert str(answers.pop(items[50])) == CRASHED
    assert set(answers.values()) == {"fine"} and len(answers) == 99
