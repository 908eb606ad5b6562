"""However many ask at once: so many turns, in order, and a word to who is too many."""

import threading
import time
from collections.abc import Callable

import pytest

from core.inference.turns import BusyError, Turns


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_never_more_than_so_many_and_in_the_order_of_asking() -> None:
    turns, lock = Turns(2, waiting=20), threading.Lock()
    order: list[int] = []
    now = most = 0
    waits: dict[int, int] = {}

    def ask(number: int) -> None:
        nonlocal now, most
        with turns.turn(patience_s=30, on_wait=lambda before: waits.setdefault(number, before)):
            with lock:
                order.append(number)
                now += 1
                most = max(most, now)
            time.sleep(0.03)
            with lock:
                now -= 1

    threads = []
    for number in range(8):
        threads.append(threading.Thread(target=ask, args=(number,)))
        threads[-1].start()
        until(lambda number=number: number in order or number in waits)  # type: ignore[misc]
    for thread in threads:
        thread.join(20)
    assert sorted(order) == list(range(8)) and most == 2
    waited = [number for number in order if number in waits]
    assert waited == sorted(waited), "who came first went first"


def test_who_waits_too_long_is_told_and_leaves_the_line() -> None:
    turns = Turns(1, waiting=5)
    with turns.turn(patience_s=1):
        with pytest.raises(BusyError, match="try again"), turns.turn(patience_s=0.05):
            pytest.fail("had a turn")
        with pytest.raises(ZeroDivisionError), turns.turn(patience_s=5, on_wait=lambda before: 1 // 0):
            pytest.fail("had a turn")
    with turns.turn(patience_s=0):
        pass


def test_a_full_line_is_told_at_once() -> None:
    turns, inside = Turns(1, waiting=1), threading.Event()
    waits: list[int] = []

    def wait_in_line() -> None:
        with turns.turn(patience_s=30, on_wait=waits.append):
            inside.set()

    with turns.turn(patience_s=1):
        other = threading.Thread(target=wait_in_line)
        other.start()
        until(lambda: bool(waits))
        began = time.monotonic()
        with pytest.raises(BusyError), turns.turn(patience_s=30):
            pytest.fail("had a turn")
        assert time.monotonic() - began < 5 and waits[0] == 0
    assert inside.wait(20)
    other.join(20)


def test_a_turn_that_ends_in_an_error_is_given_back() -> None:
    turns = Turns(1, waiting=1)
    with pytest.raises(ZeroDivisionError), turns.turn(patience_s=1):
        raise ZeroDivisionError
    with turns.turn(patience_s=0):
        pass
