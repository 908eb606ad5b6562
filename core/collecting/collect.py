"""Collecting sound for the tracks of a library: what is begun when, and what each outcome comes to.

The job's own process decides and writes rows; songs are searched for and fetched by processes of their own, which can be
ended one by one, or by the workers of a cluster (`settings.dask_scheduler`). Nothing here sleeps through a pause unless
there is nothing else to do, and it says so.
"""

import errno
import heapq
import multiprocessing
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Collection as Container
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from pebble import ProcessExpired, ProcessPool

from core.audio.spectrogram import mel_filters
from core.audio.store import SpectrogramStore
from core.collecting import matching, song
from core.collecting.failures import REMEDIES, NotFetched
from core.collecting.hosts import Host, Hosts
from core.collecting.places import place_of
from core.collecting.steps import Fetch, GiveUp, Search, next_step
from core.errors import ClusterError, GenrescopeError, LibraryError, RateLimited, SourceError
from core.files import duration_in_words, size_in_words
from core.jobs.cluster import FarPool
from core.jobs.compute import begin_worker
from core.library.candidates import Found, Sound
from core.library.collection import Collection, Spectrogram, Wanted
from core.library.preprocessing import preprocess
from core.library.store import Library
from core.library.whereabouts import look_after_files
from core.recipes import SpectrogramRecipe
from core.settings import Settings

MOST_AT_ONCE = 4
TRIES = 3
"""Of one song, where what went wrong may pass."""
TRIES_PAUSED = 8
"""Of one song at a host that asks for a pause each time."""
FIRST_RETRY_S, RETRY_GROWS = 5.0, 4.0
"""After the first failure; after each further one so many times as long."""
SONGS_PER_PROCESS = 100
"""Then it is begun anew: what decoders and parsers leave behind in memory goes with it."""
_LOOK_S, _WISHES_S, _ACCEPTED_S = 0.2, 1.0, 60.0

OnProgress = Callable[[int, int, str], None]
"""(tracks settled, tracks in all, message); may raise to stop."""


@dataclass(frozen=True)
class Options:
    """What a person chooses for a run.

    `limit` tracks are tried at most; `genres` (`''` for tracks without one) and `track_ids` say which (None: all that
    need sound). `at_once` songs are fetched side by side, 1 to 4. Without `keep_sound`, a file is deleted once its
    spectrogram is made. With nothing else to do, a run waits for pauses and retries up to `patience_s` (None: as long as
    they last), then ends.
    """

    limit: int | None = None
    genres: tuple[str, ...] | None = None
    track_ids: tuple[int, ...] | None = None
    at_once: int = 2
    make_spectrograms: bool = True
    keep_sound: bool = True
    patience_s: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if not 1 <= self.at_once <= MOST_AT_ONCE:
            raise LibraryError(f"1 to {MOST_AT_ONCE} songs can be fetched at once, not {self.at_once}.")
        if not (self.keep_sound or self.make_spectrograms):
            raise LibraryError("If the sound is not kept, its spectrogram must be made: else nothing would be left.")


@dataclass(frozen=True)
class _Task:
    """What a process was asked to do for a track: to search, or to fetch by an order."""

    wanted: Wanted
    host: Host
    order: song.Order | None = None
    hear: bool = False


class Pool(Protocol):
    """What songs are done by: pebble's `ProcessPool`, or `jobs.cluster.FarPool`."""

    def schedule(self, function: Callable[..., Any], *, args: Sequence[Any], timeout: float) -> Future[Any]:
        """Have `function(*args)` done within `timeout` seconds; else the future fails with `TimeoutError`."""


class Collector:
    """One run of collecting."""

    def __init__(
        self,
        library: Library,
        collection: Collection,
        settings: Settings,
        options: Options,
        *,
        job_id: int | None = None,
        check: Callable[[], None] = lambda: None,
        on_progress: OnProgress = lambda done, total, message: None,
        processes: Callable[[int], AbstractContextManager[Pool]] | None = None,
    ) -> None:
        """`check` is called often and may raise to stop; what was begun is then gone on with by the next run.

        `processes` makes what songs are done by, for so many at once: unless told otherwise the cluster that is set, or
        processes of their own.
        """
        self._library, self._collection, self._settings = library, collection, settings
        self._options, self._recipe, self._job_id = options, SpectrogramRecipe(), job_id
        self._check, self._on_progress = check, on_progress
        far = settings.dask_scheduler
        self._processes = processes or ((lambda at_once: FarPool(far)) if far else _processes)
        # nobody signs in anywhere to search or fetch, so no secret has to travel
        self._for_songs = settings.model_copy(update={"spotify_client_id": None, "spotify_client_secret": None})
        self._hosts = Hosts(settings)
        self._later: list[tuple[float, int]] = []  # (seconds since 1970, track)
        self._running: dict[Future[Any], _Task] = {}
        self._ours: set[int] = set()
        self._settled: set[int] = set()
        self._looked_for_wishes = self._looked_for_accepted = 0.0
        self._said = self._why = ""  # what is being done; what went wrong last, so that something has to wait

    def run(self) -> dict[str, Any]:
        """Collect; answers `{"fetched", "failed": {reason: n}, "doubtful", "waiting", "seconds"}`.

        `fetched` counts what this run (with all its attempts, if it was cut off) came to; the others say how things
        stand now. Raises `LibraryError` when the disk is nearly full, `SourceError` when this machine lacks something.
        """
        begun = time.monotonic()
        look_after_files(self._collection, self._settings, self._recipe)
        asked = self._asked()
        self._line_up(asked)
        with self._processes(self._options.at_once) as pool:
            while self._step(pool):
                self._tell()
        self._tell()
        self._complete_accepted()
        told = {**self._came_to(asked), "seconds": round(time.monotonic() - begun, 2)}
        if why := self._hosts.down():
            raise SourceError(f"{why} {told['fetched']:,} songs were fetched; the others wait.")
        return told

    def _came_to(self, asked: Container[int] | None) -> dict[str, Any]:
        fetched = self._collection.came_to(self._job_id).get("fetched", 0) if self._job_id is not None else 0
        doubtful = self._collection.to_review()
        return {
            "fetched": fetched,
            "failed": self._collection.failures(track_ids=asked),
            "doubtful": sum(asked is None or track_id in asked for track_id in doubtful),
            "waiting": len(self._collection.wanted(track_ids=asked)),
        }

    def _complete_accepted(self) -> None:
        """Do for sounds that a person has accepted what is done for those that were sure."""
        self._looked_for_accepted = time.monotonic()
        accepted = self._collection.unfinished(self._recipe.fingerprint) if self._options.make_spectrograms else []
        if not accepted:
            return
        preprocess(
            self._library,
            self._settings,
            self._recipe,
            track_ids=[track_id for track_id, _, _ in accepted],
            retry_failed=False,
            job_id=self._job_id,
            check=self._check,
        )
        store = SpectrogramStore(self._settings.spectrograms, self._recipe.fingerprint)
        for track_id, path, sha256 in accepted:
            if store.path(sha256).exists():
                self._let_go(track_id, path)

    def _let_go(self, track_id: int, path: str) -> None:
        """The spectrogram is made: the sound is kept, or deleted, as was chosen."""
        if not self._options.keep_sound and self._collection.sound_deleted(track_id, path):
            Path(path).unlink(missing_ok=True)

    # -- whose turn it is ------------------------------------------------------------------------------------------

    def _asked(self) -> Container[int] | None:
        """The tracks that the run is for, where that is not all of them."""
        ids, genres = self._options.track_ids, self._options.genres
        if genres is None:
            return None if ids is None else set(ids)
        rows = self._library.tracks(self._recipe.fingerprint)
        named = {row.id: {genre for genre, _ in row.label.weights} if row.label else {""} for row in rows}
        return {track_id for track_id, names in named.items() if names & set(genres) and (not ids or track_id in ids)}

    def _line_up(self, asked: Container[int] | None) -> None:
        """Put tracks in line at their hosts, genres taking turns, so that they grow evenly."""
        wanted = self._collection.wanted(track_ids=asked)
        labels = {row.id: row.label.top if row.label else "" for row in self._library.tracks(self._recipe.fingerprint)}
        places: dict[str, int] = {}
        turns: dict[int, int] = {}
        for one in wanted:
            genre = labels.get(one.track_id, "")
            turns[one.track_id] = places[genre] = places.get(genre, 0) + 1
        wanted.sort(key=lambda one: (one.wish is None, turns[one.track_id]))
        for one in wanted[: self._options.limit]:
            self._ours.add(one.track_id)
            at = _timestamp(one.retry_at)
            if at > time.time():
                heapq.heappush(self._later, (at, one.track_id))
            else:
                self._hosts.for_track(one).waiting.append(one.track_id)

    def _step(self, pool: Pool) -> bool:
        """Begin what can be begun, wait a little, see what has ended; False when there is nothing left to wait for."""
        self._check()
        self._take_up_wishes()
        if time.monotonic() - self._looked_for_accepted > _ACCEPTED_S:
            self._complete_accepted()
        while self._later and self._later[0][0] <= time.time():
            self._line_up_again(heapq.heappop(self._later)[1])
        while len(self._running) < self._options.at_once and (host := self._hosts.next()):
            self._check()
            self._begin(pool, host.waiting.popleft())
        if self._running:
            ended, _ = wait(self._running, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
            for future in ended:
                self._ended(self._running.pop(future), future)
            return True
        next_at, patience_s = self._next_at(), self._options.patience_s
        if next_at is None or (patience_s is not None and next_at - time.time() > patience_s):
            return False
        time.sleep(_LOOK_S)
        return True

    def _next_at(self) -> float | None:
        """When something can be done again, seconds since 1970; None if nothing waits."""
        times = [at for at, _ in self._later[:1]] + [at for at in [self._hosts.next_at()] if at is not None]
        return min(times, default=None)

    def _line_up_again(self, track_id: int, *, first: bool = False) -> None:
        for one in self._collection.wanted(track_ids=[track_id]):  # none: it has sound by now, or is gone
            line = self._hosts.for_track(one).waiting
            line.appendleft(track_id) if first else line.append(track_id)

    def _take_up_wishes(self) -> None:
        """What a person has chosen meanwhile comes first."""
        if time.monotonic() - self._looked_for_wishes < _WISHES_S:
            return
        self._looked_for_wishes = time.monotonic()
        busy = {task.wanted.track_id for task in self._running.values()}
        for one in self._collection.wanted(wished_only=True):
            line = self._hosts.for_track(one).waiting
            if one.track_id in busy or one.retry_at:
                continue
            if one.track_id in line:
                line.remove(one.track_id)
            line.appendleft(one.track_id)
            self._ours.add(one.track_id)
            self._settled.discard(one.track_id)

    # -- one track -------------------------------------------------------------------------------------------------

    def _begin(self, pool: Pool, track_id: int) -> None:
        """Do for a track what is next."""
        for wanted in self._collection.wanted(track_ids=[track_id]):  # none: it has sound by now, or is gone
            step = next_step(wanted, self._collection.found(track_id), self._is_place)
            match step:
                case Search():
                    self._search(pool, wanted)
                case Fetch():
                    self._fetch(pool, wanted, step)
                case GiveUp():
                    self._failed(wanted, step.reason, step.message)

    def _is_place(self, url: str) -> bool:
        return place_of(url, self._settings) is not None

    def _search(self, pool: Pool, wanted: Wanted) -> None:
        host = self._hosts.to_search()
        if not host.is_ready:  # it stood in line at another host
            host.waiting.append(wanted.track_id)
            return
        host.is_asked(to_search=True)
        self._said = f"Searching for {_name(wanted)}"
        self._schedule(pool, _Task(wanted, host), song.search, wanted.track, self._for_songs)

    def _fetch(self, pool: Pool, wanted: Wanted, step: Fetch) -> None:
        place = place_of(step.url, self._settings)
        if place is None:
            told = "Songs are not fetched from there: it is not among the allowed hosts."
            self._candidate_failed(wanted, step.url, NotFetched("not allowed", told))
            return
        host = self._hosts.at(place)
        if not host.is_ready:
            host.waiting.appendleft(wanted.track_id)
            return
        if other := self._collection.owner_of(step.url, besides=wanted.track_id):
            self._candidate_failed(wanted, step.url, NotFetched("same sound", f"It is the sound of {other} already."))
            return
        if any(task.order and task.order.url == step.url for task in self._running.values()):
            heapq.heappush(self._later, (time.time() + 1.0, wanted.track_id))
            return
        self._watch_the_disk()
        host.is_asked(to_search=False)
        self._said = f"Fetching {_name(wanted)}"
        listed_s = None if wanted.wish == "take" else wanted.track.duration_s
        filters = mel_filters(self._recipe)
        order = song.Order(step.url, self._for_songs, listed_s, self._recipe, filters, self._options.make_spectrograms)
        self._schedule(pool, _Task(wanted, host, order, step.hear), song.fetch, order)

    def _schedule(self, pool: Pool, task: _Task, function: Callable[..., Any], *arguments: Any) -> None:
        future = pool.schedule(function, args=arguments, timeout=self._settings.song_time_limit_s)
        self._running[future] = task

    # -- what it came to -------------------------------------------------------------------------------------------

    def _ended(self, task: _Task, future: Future[Any]) -> None:
        wanted = task.wanted
        try:
            result = self._result(future)
        except RateLimited as error:  # noted by somebody else meanwhile
            self._put_off(wanted, NotFetched("rate limit", error.text), error.retry_at, wanted.tries)
            return
        except NotFetched as error:
            self._not_fetched(task, error)
            return
        task.host.answered()
        if task.order is None:
            self._collection.searched(wanted.track_id, [_kept(match) for match in result], job_id=self._job_id)
            self._line_up_again(wanted.track_id, first=True)
        else:
            self._take_in(task, task.order, *result)

    def _result(self, future: Future[Any]) -> Any:
        try:
            return future.result()
        except TimeoutError:
            limit = duration_in_words(self._settings.song_time_limit_s)
            raise NotFetched("stuck", f"It was given up after {limit}.") from None
        except ProcessExpired:
            raise NotFetched("unexpected", "Reading it crashed the process that did.") from None
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise LibraryError(_full(self._settings)) from error
            raise NotFetched("unexpected", f"It could not be written: {error.strerror or error}.") from error
        except (NotFetched, RateLimited, ClusterError):
            raise
        except GenrescopeError as error:
            raise NotFetched("unexpected", str(error)) from error

    def _take_in(self, task: _Task, order: song.Order, sound: Sound, spectrogram: Spectrogram | None) -> None:
        """Move a song that was found whole to its place, then say so in the library."""
        track_id = task.wanted.track_id
        if not self._collection.wanted(track_ids=[track_id]):  # it was removed, or got sound otherwise, meanwhile
            shutil.rmtree(order.folder, ignore_errors=True)
            return
        kept = self._moved(sound)
        if task.hear:
            self._collection.doubtful(track_id, order.url, kept, message="", job_id=self._job_id)
            self._settled.add(track_id)
        elif other := self._collection.fetched(track_id, order.url, kept, spectrogram, job_id=self._job_id):
            self._candidate_failed(task.wanted, order.url, NotFetched("same sound", f"{other} has this very sound."))
        else:
            self._settled.add(track_id)
            if spectrogram:
                self._let_go(track_id, kept.path)
        shutil.rmtree(order.folder, ignore_errors=True)

    def _moved(self, sound: Sound) -> Sound:
        """The sound in its place, named by what is in it."""
        path = Path(sound.path)
        target = self._settings.audio / sound.sha256[:2] / f"{sound.sha256}{path.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
        return Sound(**{**vars(sound), "path": str(target)})

    def _not_fetched(self, task: _Task, error: NotFetched) -> None:
        """Wait for the host, for this machine to be mended, or a little; or give up this candidate, or the track."""
        wanted, host, remedy = task.wanted, task.host, REMEDIES[error.reason]
        if until := host.pauses_for(error):
            tries = wanted.tries + remedy.pauses_host
            if tries < TRIES_PAUSED:
                self._put_off(wanted, error, until, tries)
            else:
                self._failed(wanted, error.reason, str(error))
        elif remedy.is_ours:
            host.lacks(error)
            self._put_off(wanted, error, None, wanted.tries)
            host.waiting.append(wanted.track_id)
        elif remedy.passes and wanted.tries + 1 < TRIES:
            wait_s = FIRST_RETRY_S * RETRY_GROWS**wanted.tries
            self._put_off(wanted, error, datetime.now(UTC) + timedelta(seconds=wait_s), wanted.tries + 1)
        elif task.order is None:
            self._failed(wanted, error.reason, str(error))
        else:
            shutil.rmtree(task.order.folder, ignore_errors=True)
            self._candidate_failed(wanted, task.order.url, error)

    def _put_off(self, wanted: Wanted, error: NotFetched, retry_at: datetime | None, tries: int) -> None:
        self._why = str(error)
        self._collection.put_off(
            wanted.track_id,
            reason=error.reason,
            message=str(error),
            retry_at=retry_at,
            tries=tries,
            job_id=self._job_id,
        )
        if retry_at:
            heapq.heappush(self._later, (retry_at.timestamp(), wanted.track_id))

    def _candidate_failed(self, wanted: Wanted, url: str, error: NotFetched) -> None:
        """Try the next one."""
        self._collection.candidate_failed(wanted.track_id, url, reason=error.reason, message=str(error))
        self._line_up_again(wanted.track_id, first=True)

    def _failed(self, wanted: Wanted, reason: str, message: str) -> None:
        self._collection.failed(wanted.track_id, reason=reason, message=message, job_id=self._job_id)
        self._settled.add(wanted.track_id)

    # -- limits and words ------------------------------------------------------------------------------------------

    def _watch_the_disk(self) -> None:
        """Stop before the disk is full, or the songs take more than they may."""
        settings = self._settings
        settings.audio.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(settings.audio).free < settings.keep_free_bytes:
            raise LibraryError(_full(settings))
        most = settings.max_collected_bytes
        if most is not None and (taken := self._collection.size_bytes()) >= most:
            raise LibraryError(
                f"The songs in the workspace take {size_in_words(taken)}, and may take {size_in_words(most)} "
                "(GENRESCOPE_MAX_COLLECTED_BYTES). Raise that, or collect without keeping the sound; then go on."
            )

    def _tell(self) -> None:
        done, total = len(self._settled), len(self._ours)
        self._on_progress(done, total, self._said if self._running else self._waits_for() or self._said)

    def _waits_for(self) -> str:
        """What everything waits for, if it does."""
        next_at = self._next_at()
        if next_at is None or next_at - time.time() < 2:
            return ""
        at = datetime.fromtimestamp(next_at).strftime("%H:%M:%S")
        paused = self._hosts.paused()
        why = f"{', '.join(paused)} asks for a pause." if paused and not self._why else self._why
        return f"{why} Going on at {at}".strip()


@contextmanager
def _processes(at_once: int) -> Iterator[ProcessPool]:
    """Processes that end when this one does, and at once when the run is over; one that takes too long is ended alone."""
    pool = ProcessPool(
        max_workers=at_once,
        max_tasks=SONGS_PER_PROCESS,
        context=multiprocessing.get_context("spawn"),
        initializer=begin_worker,
    )
    try:
        yield pool
    finally:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def _kept(match: matching.Match) -> Found:
    return Found(match.candidate, match.score, match.reasons, matching.VERSION)


def _name(wanted: Wanted) -> str:
    return " – ".join([*wanted.track.artists[:1], wanted.track.title])


def _timestamp(at: str | None) -> float:
    return datetime.fromisoformat(at).timestamp() if at else 0.0


def _full(settings: Settings) -> str:
    free = size_in_words(shutil.disk_usage(settings.audio).free)
    return (
        f"Only {free} of disk are free, and {size_in_words(settings.keep_free_bytes)} are to stay free "
        "(GENRESCOPE_KEEP_FREE_BYTES). Make room, then go on: nothing is lost."
    )
