"""A run of collecting, whole: real library, real yt-dlp, real sound, on a made-up YouTube and hosts on loopback.

Songs are done in this process, one after another, so that all of the internet can be played; `tests/faults` has the real
processes.
"""

import io
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.audio.store import SpectrogramStore
from core.collecting import collect, hosts
from core.collecting.collect import Collector, Options
from core.database import Database
from core.errors import LibraryError, SourceError
from core.fetch import Pause
from core.library import edits
from core.library.collection import Collection
from core.library.playlists import Playlists
from core.library.reviews import Reviews
from core.library.store import Library
from core.music import ListedTrack, Playlist
from core.recipes import SpectrogramRecipe
from core.settings import Settings
from tests.collecting.song_host import SECONDS, SongHost, sound
from tests.collecting.youtube import Recording, YouTube
from tests.loopback import Answer, Loopback, serving
from tests.sounds import tone, write_sound
from tests.sources.conftest import Internet

RECIPE = SpectrogramRecipe()


class Here:
    """Stands for a pool: does what it is asked at once, in this process."""

    def schedule(self, function: Any, *, args: Sequence[Any], timeout: float) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(function(*args))
        except Exception as error:  # noqa: BLE001 - as a pool does
            done.set_exception(error)
        return done


@contextmanager
def here(at_once: int) -> Iterator[Any]:
    yield Here()


@pytest.fixture
def collection(database: Database) -> Collection:
    return Collection(database)


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses as short as they can be."""
    monkeypatch.setattr(collect, "FIRST_RETRY_S", 0.05)
    monkeypatch.setattr(collect, "_LOOK_S", 0.01)


@pytest.fixture
def quick(settings: Settings) -> Settings:
    return settings.model_copy(update={"fetch_pause_s": 0.0})


@pytest.fixture(scope="session")
def webm(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Five seconds of sound as YouTube keeps it."""
    return write_sound(tmp_path_factory.mktemp("webm") / "song.webm", tone(440, 5.0)).read_bytes()


@pytest.fixture
def host() -> Iterator[tuple[SongHost, Loopback]]:
    songs = SongHost([""] * 40)
    with serving(songs) as server:
        yield songs, server


def listed(
    title: str, *, artist: str = "deadmau5", seconds: float | None = 5.0, url: str = "", isrc: str | None = None
) -> ListedTrack:
    return ListedTrack(title, (artist,), "", seconds, isrc, title, url)


def take_in(database: Database, *tracks: ListedTrack, genre: str = "techno") -> None:
    Playlists(database).take_in(Playlist("csv", f"/{genre}.csv", genre, tracks), {genre: 1.0})


def run(database: Database, settings: Settings, **options: Any) -> dict[str, Any]:
    collector = Collector(
        Library(database),
        Collection(database),
        settings,
        Options(**{"patience_s": 5.0} | options),
        job_id=1,
        processes=here,
    )
    told = collector.run()
    told.pop("seconds")
    return told


def state_of(collection: Collection, track_id: int = 1) -> tuple[str, str]:
    standing = collection.standings()[track_id]
    return standing.state, standing.reason


# -- from a name to sound ----------------------------------------------------------------------------------------------


def test_a_track_that_is_only_a_name_becomes_sound(
    database: Database, collection: Collection, quick: Settings, internet: Internet, webm: bytes
) -> None:
    song = Recording("song0000000", "Strobe", "deadmau5 - Topic", 5, sound=webm)
    internet(YouTube([Recording("live0000001", "deadmau5 - Strobe (Live)", "x", 5, sound=webm), song]))
    take_in(database, listed("Strobe"))
    assert run(database, quick) == {"fetched": 1, "failed": {}, "doubtful": 0, "waiting": 0}
    (track,) = Library(database).tracks(RECIPE.fingerprint)
    assert track.state == "ready" and track.has_sound and Path(track.path).read_bytes() == webm
    assert Path(track.path).name == f"{track.sha256}.webm"
    assert SpectrogramStore(quick.spectrograms, RECIPE.fingerprint).read(track.sha256).shape[1] == 128
    (one,), total = collection.collected()
    assert total == 1 and one.url == "https://www.youtube.com/watch?v=song0000000" and one.score and one.score > 0.9
    assert sum(one.reasons.values()) == pytest.approx(one.score)


def test_doing_it_again_asks_nobody(database: Database, quick: Settings, internet: Internet, webm: bytes) -> None:
    server = internet(YouTube([Recording("song0000000", "Strobe", "deadmau5 - Topic", 5, sound=webm)]))
    take_in(database, listed("Strobe"), listed("Nothing like it"))
    first = run(database, quick)
    assert first["failed"] == {"no match": 1}
    n_asked = len(server.asked)
    assert run(database, quick)["failed"] == {"no match": 1} and len(server.asked) == n_asked


def test_a_doubtful_match_is_fetched_to_be_heard_and_not_taken(
    database: Database, collection: Collection, quick: Settings, internet: Internet, webm: bytes, reviews: Reviews
) -> None:
    internet(YouTube([Recording("cover000000", "Strobe", "Nobody Known", 5, sound=webm)]))
    take_in(database, listed("Strobe"))
    assert run(database, quick) == {"fetched": 0, "failed": {}, "doubtful": 1, "waiting": 0}
    assert not Library(database).tracks(RECIPE.fingerprint)[0].has_sound
    review = reviews.review(1)
    assert review and review.found[0].sound and Path(review.found[0].sound.path).read_bytes() == webm
    assert reviews.accept(1, review.found[0].candidate.url) is True
    assert run(database, quick)["doubtful"] == 0
    assert Library(database).tracks(RECIPE.fingerprint)[0].state == "ready", "and it gets its spectrogram"


def test_what_was_accepted_by_ear_is_completed_as_what_was_sure(
    database: Database,
    collection: Collection,
    reviews: Reviews,
    quick: Settings,
    internet: Internet,
    webm: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    internet(YouTube([Recording("cover000000", "Strobe", "Nobody Known", 5, sound=webm)]))
    take_in(database, listed("Strobe"), listed("Nothing like it"))
    run(database, quick)
    reviews.accept(1, "https://www.youtube.com/watch?v=cover000000")
    run(database, quick, make_spectrograms=False)
    assert Library(database).tracks(RECIPE.fingerprint)[0].state == "waiting", "only where spectrograms are made"
    monkeypatch.setattr(collect, "_ACCEPTED_S", -1.0)  # always
    monkeypatch.setattr(Collector, "_line_up", lambda self, asked: self._later.append((time.time() + 0.2, 2)))
    monkeypatch.setattr(Collector, "_line_up_again", lambda self, track_id: self.seen.append(row_of(database)))
    monkeypatch.setattr(Collector, "seen", seen := [], raising=False)
    run(database, quick, keep_sound=False)
    assert seen == [("ready", "")], "while the run goes on, and its sound is let go as was chosen"
    assert not [path for path in quick.audio.rglob("*") if path.is_file()]


def test_sound_whose_acceptance_is_taken_back_meanwhile_stays(
    database: Database,
    collection: Collection,
    reviews: Reviews,
    quick: Settings,
    internet: Internet,
    webm: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its spectrogram is being made, after which the sound is not kept: but now it waits to be heard once more."""
    internet(YouTube([Recording("cover000000", "Strobe", "Nobody Known", 5, sound=webm)]))
    take_in(database, listed("Strobe"))
    run(database, quick)
    reviews.accept(1, "https://www.youtube.com/watch?v=cover000000")
    made = collect.preprocess

    def taken_back(*about: Any, **options: Any) -> None:
        made(*about, **options)
        edit = edits.latest_edit(database)
        assert edit is not None
        edits.undo(database, edit.id)

    monkeypatch.setattr(collect, "preprocess", taken_back)
    run(database, quick, keep_sound=False)
    review = reviews.review(1)
    assert review is not None and review.found[0].sound is not None
    assert Path(review.found[0].sound.path).read_bytes() == webm
    assert row_of(database) == ("no sound", "")


def row_of(database: Database) -> tuple[str, str]:
    track = Library(database).tracks(RECIPE.fingerprint)[0]
    return track.state, track.path


def test_where_a_candidate_fails_the_next_one_is_taken(
    database: Database, collection: Collection, quick: Settings, internet: Internet, webm: bytes
) -> None:
    gone = Recording(
        "gone0000000", "Strobe", "deadmau5 - Topic", 5, playability={"status": "ERROR", "reason": "Video unavailable"}
    )
    cut = Recording("cut00000000", "Strobe", "deadmau5", 5, sound=webm[: len(webm) // 2])
    internet(YouTube([gone, cut, Recording("song0000000", "deadmau5 - Strobe", "a fan", 5, sound=webm)]))
    take_in(database, listed("Strobe"))
    assert run(database, quick)["fetched"] == 1
    assert collection.collected()[0][0].url.endswith("song0000000")
    reasons = {one.candidate.source_id: one.reason for one in collection.found(1) if one.state == "failed"}
    assert reasons["gone0000000"] == "gone" and reasons["cut00000000"] in ("damaged", "network")


@pytest.mark.parametrize(
    ("recording", "reason"),
    [
        ({"playability": {"status": "ERROR", "reason": "Video unavailable"}}, "gone"),
        ({"playability": {"status": "LOGIN_REQUIRED", "reason": "Sign in to confirm your age"}}, "age"),
        (
            {
                "playability": {
                    "status": "UNPLAYABLE",
                    "reason": "The uploader has not made this video available in your country",
                }
            },
            "geo",
        ),
        ({"answer": Answer(b"", 403)}, "refused"),
        ({"answer": Answer(b"<html>no</html>", headers={"Content-Type": "text/html"})}, "wrong format"),
    ],
)
def test_why_the_only_match_could_not_be_had_is_kept(
    database: Database,
    collection: Collection,
    quick: Settings,
    internet: Internet,
    webm: bytes,
    recording: dict[str, Any],
    reason: str,
) -> None:
    internet(
        YouTube(
            [
                Recording(
                    "song0000000",
                    "Strobe",
                    "deadmau5 - Topic",
                    5,
                    **{"sound": b"" if "playability" in recording else webm, **recording},
                )
            ]
        )
    )
    take_in(database, listed("Strobe"))
    assert run(database, quick)["failed"] == {reason: 1}
    assert collection.standings()[1].message.startswith("YouTube")


# -- addresses of its own ----------------------------------------------------------------------------------------------


def own(settings: Settings, server: Loopback, **changes: Any) -> Settings:
    return settings.model_copy(update={"allowed_hosts": server.url.removeprefix("http://"), **changes})


def song(server: Loopback, number: int, **changes: Any) -> ListedTrack:
    told = {"artist": f"Artist {number}", "seconds": float(SECONDS), "url": f"{server.url}/{number}.wav"}
    return listed(f"Song {number}", **(told | changes))


def test_a_track_with_an_address_is_not_searched_for(
    database: Database, settings: Settings, internet: Internet, webm: bytes
) -> None:
    youtube = YouTube([Recording("own00000000", "Whatever it is called", "x", 5, sound=webm)])
    internet(youtube)
    take_in(database, listed("Strobe", url="https://youtu.be/own00000000"))
    assert run(database, settings.model_copy(update={"fetch_pause_s": 0.0}))["fetched"] == 1
    assert youtube.queries == []


def test_hosts_that_are_not_allowed_are_not_asked_and_that_is_told(
    database: Database, collection: Collection, settings: Settings, host: tuple[SongHost, Loopback], reviews: Reviews
) -> None:
    _, server = host
    take_in(database, song(server, 1))
    assert run(database, settings)["failed"] == {"not allowed": 1} and server.asked == []
    assert server.url.removeprefix("http://") in collection.standings()[1].message
    reviews.retry(reasons=["not allowed"])
    assert run(database, own(settings, server))["fetched"] == 1


def test_what_is_gone_from_its_own_address_is_searched_for_only_when_asked(
    database: Database, collection: Collection, quick: Settings, internet: Internet, webm: bytes, reviews: Reviews
) -> None:
    youtube = YouTube([Recording("other000000", "Strobe", "deadmau5 - Topic", 5, sound=webm)])
    youtube.recordings["own00000000"] = Recording(
        "own00000000", "x", "x", playability={"status": "ERROR", "reason": "Video unavailable"}
    )
    internet(youtube)
    take_in(database, listed("Strobe", url="https://www.youtube.com/watch?v=own00000000"))
    assert run(database, quick)["failed"] == {"gone": 1} and youtube.queries == []
    assert reviews.search_elsewhere(reasons=["gone"]) == 1
    assert run(database, quick)["fetched"] == 1 and youtube.queries


def test_a_song_of_another_length_is_another_song(
    database: Database, collection: Collection, settings: Settings, host: tuple[SongHost, Loopback], reviews: Reviews
) -> None:
    _, server = host
    take_in(database, song(server, 1, seconds=60.0))
    assert run(database, own(settings, server))["failed"] == {"wrong length": 1}
    assert "instead of 1 min 0 s" in collection.standings()[1].message
    reviews.paste(1, f"{server.url}/2.wav")
    assert run(database, own(settings, server))["fetched"] == 1, "a person knows better"
    assert Library(database).tracks(RECIPE.fingerprint)[0].duration_s == pytest.approx(SECONDS)
    assert reviews.reject_sound(1) is None
    assert collection.wanted()[0].track.duration_s == 60.0, "what it should last is not forgotten"


def test_silence_is_no_song(database: Database, settings: Settings, tmp_path: Path) -> None:
    silence = write_sound(tmp_path / "s.wav", np.zeros(5 * 48_000)).read_bytes()
    with serving(lambda asked: Answer(silence, headers={"Content-Type": "audio/wav"})) as server:
        take_in(database, song(server, 1))
        assert run(database, own(settings, server))["failed"] == {"silent": 1}


def test_two_tracks_cannot_have_the_same_sound(
    database: Database, collection: Collection, settings: Settings, tmp_path: Path
) -> None:
    with serving(lambda asked: Answer(sound(7), headers={"Content-Type": "audio/wav"})) as server:
        take_in(database, song(server, 1), song(server, 2))
        told = run(database, own(settings, server), at_once=1)
    assert (told["fetched"], told["failed"]) == (1, {"same sound": 1})
    assert "Song 1" in collection.standings()[2].message
    from core.library.catalogue import Catalogue

    (pair,), _ = Catalogue(database).pairs()
    assert (pair.track_id, pair.other_id) == (1, 2), "and a person is asked whether they are one"


# -- hosts that ask for a pause, and worse -----------------------------------------------------------------------------


def test_a_host_that_wants_a_pause_gets_it_and_the_song_is_fetched_then(
    database: Database, collection: Collection, settings: Settings, host: tuple[SongHost, Loopback]
) -> None:
    songs, server = host
    songs.faults = ["", "limited", ""]
    take_in(database, *[song(server, n) for n in range(3)])
    assert run(database, own(settings, server), at_once=1)["fetched"] == 3
    first, second = [asked.at for asked in server.asked if asked.path == "/1.wav"][:2]
    assert second - first >= 1.0
    assert not [asked for asked in server.asked if first < asked.at < first + 1.0], "nothing is asked in between"


def test_what_is_waited_for_is_told_and_until_when(
    database: Database, collection: Collection, settings: Settings, host: tuple[SongHost, Loopback]
) -> None:
    songs, server = host
    songs.faults, songs.retry_after = ["limited"], "3"
    take_in(database, song(server, 0))
    told: set[str] = set()
    collector = Collector(
        Library(database),
        collection,
        own(settings, server),
        Options(patience_s=5.0),
        on_progress=lambda done, total, message: told.add(message),
        processes=here,
    )
    assert collector.run()["failed"] == {}
    assert any("asked too often" in message and "Going on at " in message for message in told), told


def test_a_long_pause_is_not_slept_through_and_outlasts_the_run(
    database: Database, collection: Collection, settings: Settings, host: tuple[SongHost, Loopback]
) -> None:
    songs, server = host
    songs.faults, songs.retry_after = ["limited", ""], "900"
    take_in(database, song(server, 0), song(server, 1))
    assert run(database, own(settings, server), at_once=1) == {"fetched": 0, "failed": {}, "doubtful": 0, "waiting": 2}
    (waits,) = [standing for standing in collection.standings().values() if standing.retry_at]
    assert timedelta(0) < datetime.fromisoformat(waits.retry_at or "") - datetime.now(UTC) <= timedelta(seconds=900)
    n_asked = len(server.asked)
    assert run(database, own(settings, server))["waiting"] == 2 and len(server.asked) == n_asked


def test_one_host_that_pauses_holds_up_no_other(
    database: Database, settings: Settings, host: tuple[SongHost, Loopback]
) -> None:
    _, server = host
    with serving(lambda asked: Answer(b"", 429, {"Retry-After": "900"})) as busy:
        take_in(database, *[song(busy, n, url=f"{busy.url}/{n}.wav") for n in range(3)])
        take_in(database, *[song(server, n) for n in range(10, 14)], genre="house")
        allowed = ",".join(one.url.removeprefix("http://") for one in (server, busy))
        told = run(database, settings.model_copy(update={"allowed_hosts": allowed}), at_once=1)
        assert (told["fetched"], told["waiting"]) == (4, 3) and len(busy.asked) == 1


def test_a_dead_host_is_not_blamed_on_its_songs(
    database: Database, settings: Settings, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hosts, "TROUBLE_S", 30.0)
    with serving(lambda asked: Answer(cut=True)) as server:
        take_in(database, *[song(server, n) for n in range(12)])
        told = run(database, own(settings, server), at_once=1)
        assert told["failed"] == {} and told["waiting"] == 12
        assert len({asked.path for asked in server.asked}) <= hosts.TROUBLE


def test_a_song_that_fails_again_and_again_is_given_up(
    database: Database, settings: Settings, host: tuple[SongHost, Loopback], reviews: Reviews
) -> None:
    songs, server = host
    songs.faults = ["refused", ""]
    take_in(database, song(server, 0), song(server, 1))
    told = run(database, own(settings, server))
    assert (told["fetched"], told["failed"]) == (1, {"refused": 1})
    assert songs.asked[0] == collect.TRIES
    assert reviews.retry(reasons=["gone"]) == 0 and reviews.retry() == 1


def test_what_this_machine_lacks_is_told_and_blames_no_song(
    database: Database,
    collection: Collection,
    quick: Settings,
    internet: Internet,
    webm: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from core.collecting import yt_errors

    monkeypatch.setattr(yt_errors, "has_javascript", lambda: False)
    recordings = [Recording(f"song{n:07d}", f"Strobe {'abcdefgh'[n] * 6}", "deadmau5 - Topic", 5) for n in range(8)]
    internet(YouTube(recordings))
    take_in(database, *[listed(one.title) for one in recordings])
    with pytest.raises(SourceError, match="pip install deno"):
        run(database, quick)
    assert len(collection.wanted()) == 8 and collection.failures() == {}


# -- limits, choices, order --------------------------------------------------------------------------------------------


def test_collecting_stops_before_the_disk_is_full(
    database: Database, settings: Settings, host: tuple[SongHost, Loopback]
) -> None:
    _, server = host
    take_in(database, song(server, 1))
    with pytest.raises(LibraryError, match="disk"):
        run(database, own(settings, server, keep_free_bytes=10**18))
    assert server.asked == [] and run(database, own(settings, server))["fetched"] == 1
    take_in(database, song(server, 2), genre="house")
    with pytest.raises(LibraryError, match="GENRESCOPE_MAX_COLLECTED_BYTES"):
        run(database, own(settings, server, max_collected_bytes=1000))


def test_sound_that_is_not_kept_leaves_its_spectrogram(
    database: Database, settings: Settings, host: tuple[SongHost, Loopback]
) -> None:
    _, server = host
    take_in(database, song(server, 1))
    allowed = own(settings, server)
    assert run(database, allowed, keep_sound=False)["fetched"] == 1
    (track,) = Library(database).tracks(RECIPE.fingerprint)
    assert (track.state, track.path, track.has_sound) == ("ready", "", True)
    assert not [path for path in allowed.audio.rglob("*") if path.is_file()]
    assert (
        Library(database).songs(RECIPE.fingerprint) and Library(database).without_spectrogram(RECIPE.fingerprint) == []
    )
    n_asked = len(server.asked)
    assert run(database, allowed)["fetched"] == 1 and len(server.asked) == n_asked, "it is not fetched again"
    SpectrogramStore(allowed.spectrograms, RECIPE.fingerprint).path(track.sha256).unlink()
    run(database, allowed)
    assert len(server.asked) > n_asked, "unless nothing is left of it"


def test_without_spectrograms_only_sound_is_kept(
    database: Database, settings: Settings, host: tuple[SongHost, Loopback]
) -> None:
    _, server = host
    take_in(database, song(server, 1))
    run(database, own(settings, server), make_spectrograms=False)
    assert Library(database).tracks(RECIPE.fingerprint)[0].state == "waiting"
    assert not list(settings.spectrograms.rglob("*.npy"))


def test_a_limit_tries_so_many_and_genres_take_turns(
    database: Database, settings: Settings, host: tuple[SongHost, Loopback]
) -> None:
    _, server = host
    take_in(database, *[song(server, n) for n in range(8)])
    take_in(database, *[song(server, n) for n in range(20, 23)], genre="house")
    told = run(database, own(settings, server), limit=4)
    assert (told["fetched"], told["waiting"]) == (4, 7)
    assert {asked.path for asked in server.asked} == {"/0.wav", "/20.wav", "/1.wav", "/21.wav"}


def test_only_the_genres_that_are_asked_for(
    database: Database, settings: Settings, host: tuple[SongHost, Loopback]
) -> None:
    _, server = host
    take_in(database, song(server, 1))
    take_in(database, song(server, 2), genre="house")
    Playlists(database).take_in(Playlist("csv", "/none", "none", (song(server, 3),)), {})
    assert run(database, own(settings, server), genres=("house",))["fetched"] == 1
    assert run(database, own(settings, server), genres=("",))["fetched"] == 2, "counted over the job"
    assert {asked.path for asked in server.asked} == {"/2.wav", "/3.wav"}


def test_what_a_person_wishes_for_comes_first(
    database: Database, collection: Collection, settings: Settings, host: tuple[SongHost, Loopback], reviews: Reviews
) -> None:
    _, server = host
    take_in(database, *[song(server, n) for n in range(5)])
    reviews.paste(4, f"{server.url}/30.wav")
    run(database, own(settings, server), at_once=1)
    assert server.asked[0].path == "/30.wav"


@pytest.mark.parametrize(("at_once", "keep", "make"), [(0, True, True), (5, True, True), (1, False, False)])
def test_options_that_cannot_be_are_refused(at_once: int, keep: bool, make: bool) -> None:
    with pytest.raises(LibraryError):
        Options(at_once=at_once, keep_sound=keep, make_spectrograms=make)


# -- files that moved, and kills ---------------------------------------------------------------------------------------


def test_moved_files_are_found_by_what_is_in_them_and_gone_ones_are_fetched_again(
    database: Database, settings: Settings, host: tuple[SongHost, Loopback]
) -> None:
    _, server = host
    take_in(database, song(server, 1), song(server, 2))
    allowed = own(settings, server)
    run(database, allowed)
    one, other = (Path(track.path) for track in Library(database).tracks(RECIPE.fingerprint))
    one.rename(settings.audio / "elsewhere.wav")
    n_asked = len(server.asked)
    run(database, allowed)
    assert len(server.asked) == n_asked
    assert Library(database).tracks(RECIPE.fingerprint)[0].path == str(settings.audio / "elsewhere.wav")
    other.unlink()
    run(database, allowed)
    assert [asked.path for asked in server.asked[n_asked:]] == ["/2.wav"] and other.exists()
    assert all(track.has_sound for track in Library(database).tracks(RECIPE.fingerprint))


def test_a_disk_that_is_not_plugged_in_is_no_reason_to_fetch_all_again(
    database: Database, settings: Settings, host: tuple[SongHost, Loopback]
) -> None:
    _, server = host
    take_in(database, song(server, 1))
    run(database, own(settings, server))
    settings.audio.rename(settings.audio.with_name("unplugged"))
    n_asked = len(server.asked)
    with pytest.raises(LibraryError, match="plugged in"):
        run(database, own(settings, server))
    assert len(server.asked) == n_asked


def test_a_song_found_whole_before_a_kill_is_not_fetched_again(
    database: Database, settings: Settings, host: tuple[SongHost, Loopback], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, server = host
    take_in(database, song(server, 1))
    with monkeypatch.context() as patched:
        patched.setattr(Collector, "_take_in", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(database, own(settings, server))
    n_asked = len(server.asked)
    assert run(database, own(settings, server))["fetched"] == 1 and len(server.asked) == n_asked
    assert not list(settings.audio.glob(".partial-*"))


def test_a_stop_stops_at_once(database: Database, settings: Settings, host: tuple[SongHost, Loopback]) -> None:
    from core.errors import JobStopped

    _, server = host
    take_in(database, *[song(server, n) for n in range(5)])
    seen = io.StringIO()

    def check() -> None:
        seen.write("x")
        if len(seen.getvalue()) > 2:
            raise JobStopped("Stopped.")

    collector = Collector(
        Library(database), Collection(database), own(settings, server), Options(at_once=1), check=check, processes=here
    )
    with pytest.raises(JobStopped):
        collector.run()
    assert len(server.asked) <= 2 and len(Collection(database).wanted()) >= 3


def test_the_pause_of_playlist_reading_is_kept_too(
    database: Database, quick: Settings, internet: Internet, webm: bytes
) -> None:
    server = internet(YouTube([Recording("song0000000", "Strobe", "deadmau5 - Topic", 5, sound=webm)]))
    take_in(database, listed("Strobe"))
    Pause(quick.answers / "youtube.pause.json", "YouTube").begin(900)
    assert run(database, quick)["waiting"] == 1 and server.asked == []


def test_undoing_brings_a_doubtful_match_back(
    database: Database, collection: Collection, quick: Settings, internet: Internet, webm: bytes, reviews: Reviews
) -> None:
    internet(YouTube([Recording("cover000000", "Strobe", "Nobody Known", 5, sound=webm)]))
    take_in(database, listed("Strobe"))
    run(database, quick)
    reviews.accept(1, "https://www.youtube.com/watch?v=cover000000")
    run(database, quick)
    edit = edits.latest_edit(database)
    assert edit and Library(database).tracks(RECIPE.fingerprint)[0].state == "ready"
    edits.undo(database, edit.id)
    assert collection.to_review() == [1] and not Library(database).tracks(RECIPE.fingerprint)[0].has_sound
