"""Hosts and their turns: the pace each is asked at, the pauses it wants, the trouble it has.

Of one run; only pauses outlast it, as they are noted in files (`fetch.Pause`), which playlist reading keeps, too.
"""

import time
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from core.collecting.failures import REMEDIES, NotFetched
from core.collecting.places import Place, pause_of, place_of
from core.fetch import Pause
from core.library.collection import Wanted
from core.settings import Settings

SEARCHED = ("youtube", "YouTube")
"""The host that tracks without an address of their own are searched for at: its name and title."""
SEARCH_PAUSE_S = 2.0
"""Between two searches."""
PAUSE_S = 3600.0
"""Where a site asks for a pause and does not say how long (YouTube's last up to an hour) ..."""
OWN_PAUSE_S = 60.0
"""... and where a host of one's own does."""
TROUBLE = 5
"""After so many failed connections in a row it is the host's fault or the network's, not the songs'."""
TROUBLE_S, TROUBLE_MOST_S = 60.0, 1800.0
"""Then the host is left alone for so long, twice as long each time."""
DOWN = 3
"""After so many songs in a row that this machine lacks something for, its host is asked no more."""


@dataclass
class Host:
    """A host, and the tracks (ids) that wait for it, in their order. `down` says why it is asked no more, '' if it is."""

    name: str
    title: str
    pause: Pause
    pace_s: float
    default_pause_s: float
    waiting: deque[int] = field(default_factory=deque)
    down: str = ""
    _ready_at: float = 0.0  # monotonic
    _trouble: int = 0
    _lacking: int = 0

    @property
    def is_ready(self) -> bool:
        """Whether it may be asked now."""
        return not self.down and self._ready_at <= time.monotonic() and self.pause.until() is None

    @property
    def ready_at(self) -> float:
        """When it may be asked, seconds since 1970."""
        paused = self.pause.until()
        in_turn = time.time() + max(0.0, self._ready_at - time.monotonic())
        return max(in_turn, paused.timestamp() if paused else 0.0)

    def is_asked(self, *, to_search: bool) -> None:
        """Its next turn comes after its pace; searches are lighter than songs."""
        self._ready_at = time.monotonic() + (min(SEARCH_PAUSE_S, self.pace_s) if to_search else self.pace_s)

    def answered(self) -> None:
        """It is well."""
        self._trouble = self._lacking = 0

    def pauses_for(self, error: NotFetched) -> datetime | None:
        """Until when it is left alone after `error` (UTC), which is noted; None if it is not its fault."""
        if REMEDIES[error.reason].pauses_host:
            wait_s = self.default_pause_s if error.retry_after_s is None else error.retry_after_s
            return self.pause.begin(wait_s).retry_at
        self._trouble = self._trouble + 1 if error.reason == "network" else 0
        if self._trouble >= TROUBLE:
            return self.pause.begin(min(TROUBLE_S * 2 ** (self._trouble - TROUBLE), TROUBLE_MOST_S)).retry_at
        return None

    def lacks(self, error: NotFetched) -> None:
        """Something is lacking here to read its answers; after some such songs in a row it is asked no more."""
        self._lacking += 1
        if self._lacking >= DOWN:
            self.down = f"{error} {REMEDIES[error.reason].what_to_do}"


class Hosts:
    """All hosts of a run."""

    def __init__(self, settings: Settings) -> None:
        """None yet: a host is there once it is asked for."""
        self._settings = settings
        self._hosts: dict[str, Host] = {}

    def to_search(self) -> Host:
        """Where tracks are searched for."""
        return self._of(*SEARCHED)

    def at(self, place: Place) -> Host:
        """The host of a place."""
        return self._of(place.name, place.title)

    def for_track(self, wanted: Wanted) -> Host:
        """The host a track has to wait for, as far as its addresses tell."""
        for url in (wanted.url, *wanted.urls):
            if url and (place := place_of(url, self._settings)):
                return self.at(place)
        return self.to_search()

    def next(self) -> Host | None:
        """A host that somebody waits for, and that may be asked now: the one whose turn was first."""
        ready = [host for host in self._hosts.values() if host.waiting and host.is_ready]
        return min(ready, key=lambda host: host.ready_at, default=None)

    def next_at(self) -> float | None:
        """When the next of those that are waited for may be asked, seconds since 1970."""
        return min((host.ready_at for host in self._hosts.values() if host.waiting and not host.down), default=None)

    def paused(self) -> list[str]:
        """Titles of those that want a pause and are waited for."""
        return [host.title for host in self._hosts.values() if host.waiting and host.pause.until()]

    def down(self) -> str:
        """Why a host is asked no more; '' if all are."""
        return next((host.down for host in self._hosts.values() if host.down), "")

    def waited_for_by(self) -> set[int]:
        """All tracks in line."""
        return {track_id for host in self._hosts.values() for track_id in host.waiting}

    def _of(self, name: str, title: str) -> Host:
        if name not in self._hosts:
            is_own = name.startswith("host-")
            pace_s, pause_s = (0.0, OWN_PAUSE_S) if is_own else (self._settings.fetch_pause_s, PAUSE_S)
            self._hosts[name] = Host(name, title, pause_of(name, title, self._settings), pace_s, pause_s)
        return self._hosts[name]
