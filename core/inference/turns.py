"""Turns: however many ask at once, so many are answered side by side; the others wait in line, and the line has an end."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from core.errors import GenrescopeError

LOOK_EVERY_S = 0.25
"""Between two words to who waits."""


class BusyError(GenrescopeError):
    """Too many ask at the same time."""


class Turns:
    """Hands out `at_once` turns, in the order in which they were asked for; `waiting` may stand in line."""

    def __init__(self, at_once: int, *, waiting: int) -> None:
        """Both at least one."""
        self._at_once, self._waiting = at_once, waiting
        self._taken = 0
        self._line: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def turn(self, *, patience_s: float, on_wait: Callable[[int], object] = lambda before: None) -> Iterator[None]:
        """A turn, for as long as the block runs. `on_wait` is told again and again how many are before, and may raise.

        Raises `BusyError` if the line is full, or if no turn came within `patience_s` seconds.
        """
        self._wait(patience_s, on_wait)
        try:
            yield
        finally:
            with self._changed:
                self._taken -= 1
                self._changed.notify_all()

    def _wait(self, patience_s: float, on_wait: Callable[[int], object]) -> None:
        ticket, deadline = object(), time.monotonic() + patience_s
        with self._changed:
            if self._taken < self._at_once and not self._line:
                self._taken += 1
                return
            if len(self._line) >= self._waiting:
                raise BusyError(f"{self._busy()} Try again in a minute.")
            self._line.append(ticket)
        try:
            while True:
                with self._changed:
                    if self._line[0] is ticket and self._taken < self._at_once:
                        self._taken += 1
                        return
                    before = self._line.index(ticket)
                    if time.monotonic() > deadline:
                        raise BusyError(f"{self._busy()} Nothing is lost: try again in a minute.")
                on_wait(before)  # not under the lock: it may take its time
                with self._changed:
                    self._changed.wait(LOOK_EVERY_S)
        finally:
            with self._changed:
                self._line.remove(ticket)
                self._changed.notify_all()

    def _busy(self) -> str:
        return "Many songs are being listened to just now, and yours did not get its turn."
