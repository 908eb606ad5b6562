"""The jobs that ask web services: as the app and the commands have them done, by servers on this machine."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.database import Database
from core.errors import JobFailed, JobStopped
from core.jobs import kinds
from core.jobs.queue import GIVEN_UP, MAIN, MAX_ATTEMPTS, Job, Queue
from core.jobs.worker import open_queue, run_here, work
from core.library.playlists import Playlists
from core.library.store import Library
from core.settings import Settings
from core.sources import musicbrainz, sites
from tests.lists import contents, listed, playlist
from tests.loopback import Answer, Asked, Loopback, as_json, serving
from tests.sources.deezer_server import Deezer, error, song


class Web:
    """Deezer and MusicBrainz behind one address; of the rest of the world nothing answers."""

    def __init__(self) -> None:
        self.deezer = Deezer(playlists={n: (f"List {n}", [song(10 * n + i) for i in range(5)]) for n in range(1, 9)})
        self.musicbrainz: dict[str, Answer] = {}
        self.server: Loopback
        self.slow_s = 0.0

    def __call__(self, asked: Asked) -> Answer:
        time.sleep(self.slow_s)
        if asked.path.startswith("/ws/2/"):
            return self.musicbrainz.get(asked.path.removeprefix("/ws/2/"), as_json({"error": "Not Found"}, 404))
        return self.deezer(asked)


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    web = Web()
    monkeypatch.setattr(musicbrainz, "REQUESTS_PER", (1000, 1.0))
    monkeypatch.setattr(sites, "PAUSE_S", 0)
    with serving(web) as web.server, serving(lambda asked: Answer(status=502)) as nobody:
        monkeypatch.setenv("HTTPS_PROXY", nobody.url)
        yield web


@pytest.fixture
def settings(tmp_path: Path, web: Web) -> Settings:
    """Leases so short that a stop is heard at once."""
    return Settings(
        home=tmp_path / "workspace",
        processes=1,
        lease_s=0.6,
        deezer_api_url=web.server.url,
        musicbrainz_url=f"{web.server.url}/ws/2",
        contact="someone@example.org",
    )


@pytest.fixture
def queue(settings: Settings, database: Database) -> Queue:
    return open_queue(settings, database)


def uri(number: int) -> str:
    return f"deezer:playlist:{number}"


def result(job: Job) -> dict[str, Any]:
    assert job.state == "done" and job.result is not None
    return job.result


# -- read --------------------------------------------------------------------------------------------------------------


def test_playlists_are_read_as_people_name_them_or_by_reference(
    settings: Settings, database: Database, queue: Queue, tmp_path: Path
) -> None:
    (tmp_path / "a list.txt").write_text("Eins - Erstes")
    refs = ["https://www.deezer.com/playlist/1?x=y", ("deezer", uri(2)), str(tmp_path / "a list.txt"), "junk"]
    reports: list[tuple[int, int | None, str]] = []
    job = run_here(
        settings,
        database,
        kinds.submit_read(queue, refs, take_in=True, genres={"techno": 1.0}),
        on_report=lambda done, total, message, left: reports.append((done, total, message)),
    )
    told = result(job)
    assert set(told) == {"playlists", "failed"}
    assert [(row["ref"], row["source"], row["tracks"]) for row in told["playlists"]] == [
        (refs[0], "deezer", 5),
        (uri(2), "deezer", 5),
        (refs[2], "text", 1),
        ("junk", "", 0),
    ]
    [failed] = told["failed"]
    assert set(failed) == {"path", "reason"} and failed["path"] == "junk" and "is no playlist" in failed["reason"]
    assert reports[0][:2] == (0, 4) and reports[-1] == (4, 4, "") and (job.done, job.total) == (4, 4)
    assert [row.genres for row in Playlists(database).all()] == [{"techno": 1.0}] * 3
    with database.read() as db:
        assert {row[0] for row in db.execute("SELECT created_by_job FROM tracks")} == {job.id}


def test_the_same_asked_twice_is_one_job_and_done_twice_changes_nothing(
    settings: Settings, database: Database, queue: Queue, web: Web
) -> None:
    def ask() -> Job:
        return kinds.submit_read(queue, [uri(1), ("deezer", uri(2))], take_in=True)

    first = ask()
    assert ask().id == first.id, "while it is not done"
    assert kinds.submit_read(queue, [uri(1), ("deezer", uri(2))], take_in=False).id != first.id
    told = result(run_here(settings, database, first))
    before, asked = contents(database), len(web.server.asked)
    again = ask()
    assert again.id != first.id
    answers = result(run_here(settings, database, again))["playlists"]
    assert len(web.server.asked) == 2 * asked, "it is read anew"
    assert [row["new"] for row in told["playlists"]] == [5, 5] and [row["new"] for row in answers] == [0, 0]
    after = contents(database)
    assert {**before, "playlists": ()} == {**after, "playlists": ()} and len(after["playlists"]) == 2


def test_what_is_only_read_waits_for_a_person(settings: Settings, database: Database, queue: Queue) -> None:
    run_here(settings, database, kinds.submit_read(queue, [uri(1)], take_in=False))
    assert Playlists(database).all() == [] and Library(database).tracks("") == []
    assert [one.playlist.title for one in Playlists(database).readings(searched=False)] == ["List 1"]


def test_a_folder_is_read_like_a_list(settings: Settings, database: Database, queue: Queue, songs_folder: Path) -> None:
    told = result(run_here(settings, database, kinds.submit_read(queue, [str(songs_folder)], take_in=True)))
    assert (told["playlists"][0]["tracks"], told["failed"]) == (24, [])
    assert {track.label and track.label.top for track in Library(database).tracks("")} == {"drone", "hiss"}


def test_a_reading_that_is_stopped_goes_on_when_asked_again(
    settings: Settings, database: Database, queue: Queue, web: Web
) -> None:
    web.slow_s = 0.1
    refs = [uri(n) for n in web.deezer.playlists] * 2
    job = kinds.submit_read(queue, refs, take_in=True)

    def stop_soon(done: int, *_: object) -> None:
        if done >= 1:
            queue.request_stop(job.id)

    with pytest.raises(JobStopped):
        run_here(settings, database, job, on_report=stop_soon)
    assert queue.get(job.id).state == "stopped"
    there = Playlists(database).all()
    assert there and {row.tracks for row in there} == {5}, "what is there is whole"
    web.slow_s = 0.0
    again = kinds.submit_read(queue, refs, take_in=True)
    assert again.id != job.id
    assert [row["error"] for row in result(run_here(settings, database, again))["playlists"]] == [None] * len(refs)
    assert len(Playlists(database).all()) == len(web.deezer.playlists)


def test_a_pause_is_an_answer_not_a_failed_job(settings: Settings, database: Database, queue: Queue, web: Web) -> None:
    web.deezer.errors = {"/playlist/2": error(4)}
    told = result(run_here(settings, database, kinds.submit_read(queue, [uri(1), uri(2)], take_in=True)))
    assert [one["path"] for one in told["failed"]] == [uri(2)] and "UTC" in told["failed"][0]["reason"]
    assert len(Playlists(database).all()) == 1


# -- search ------------------------------------------------------------------------------------------------------------


def test_a_search_judges_what_it_finds_and_tells_who_could_not_be_asked(
    settings: Settings, database: Database, queue: Queue, web: Web
) -> None:
    web.deezer.found = [{"id": n, "title": f"List {n}", "nb_tracks": 5, "public": True} for n in (1, 2)]
    job = kinds.submit_search(queue, ["techno"])
    assert kinds.submit_search(queue, ["techno"]).id == job.id
    told = result(run_here(settings, database, job))
    assert told["found"] == 2
    assert [one["path"] for one in told["failed"]] == ["YouTube"] and told["failed"][0]["reason"]
    found = Playlists(database).readings(searched=True)
    assert [(one.genre, one.playlist.title, len(one.playlist.tracks)) for one in found] == [
        ("techno", "List 1", 5),
        ("techno", "List 2", 5),
    ]
    again = kinds.submit_search(queue, ["techno"])
    assert again.id != job.id
    assert result(run_here(settings, database, again))["found"] == 2
    assert len(Playlists(database).readings(searched=True)) == 2


# -- MusicBrainz -------------------------------------------------------------------------------------------------------


def recordings(genre: str) -> Answer:
    mbid = "b1a9c0e9-d987-4042-ae91-78d6a3267d69"
    return as_json({"recordings": [{"id": mbid, "genres": [{"id": "x", "name": genre, "count": 1}]}]})


def test_genre_votes_go_on_after_a_pause(settings: Settings, database: Database, queue: Queue, web: Web) -> None:
    Playlists(database).take_in(playlist("a", *(listed(n, isrc=f"GBAAA{n:07d}") for n in range(3))))
    web.musicbrainz = {f"isrc/GBAAA{n:07d}": recordings("techno") for n in range(3)}
    web.musicbrainz["isrc/GBAAA0000001"] = Answer(b"{}", 503, {"Retry-After": "600"})
    job = kinds.submit_genre_votes(queue)
    assert kinds.submit_genre_votes(queue).id == job.id
    with pytest.raises(JobFailed, match=r"MusicBrainz asks for a pause.* UTC"):
        run_here(settings, database, job)
    assert queue.get(job.id).state == "failed"
    for pause in settings.answers.glob("*.pause.json"):  # it is over
        pause.unlink()
    web.musicbrainz["isrc/GBAAA0000001"] = recordings("house")
    again = kinds.submit_genre_votes(queue)
    assert again.id != job.id
    assert result(run_here(settings, database, again)) == {"asked": 2, "found": 2}
    assert [track.label and track.label.top for track in Library(database).tracks("")] == ["techno", "house", "techno"]
    assert result(run_here(settings, database, kinds.submit_genre_votes(queue))) == {"asked": 0, "found": 0}


def test_musicbrainz_is_not_asked_by_nobody(database: Database, settings: Settings, queue: Queue, web: Web) -> None:
    Playlists(database).take_in(playlist("a", listed(1)))
    nameless = settings.model_copy(update={"contact": ""})
    with pytest.raises(JobFailed, match="Set GENRESCOPE_CONTACT"):
        run_here(nameless, database, kinds.submit_genre_votes(queue))
    assert web.server.asked == []


# -- all of them -------------------------------------------------------------------------------------------------------


def test_a_job_that_took_its_workers_down_too_often_is_not_begun_again(
    settings: Settings, database: Database, queue: Queue, web: Web
) -> None:
    later = time.time() - 2 * MAX_ATTEMPTS
    crashing = Queue(database, lease_s=0.1, clock=lambda: later)
    jobs = [
        kinds.submit_read(queue, [uri(1)], take_in=True),
        kinds.submit_search(queue, ["techno"]),
        kinds.submit_genre_votes(queue),
    ]
    for _ in range(MAX_ATTEMPTS):
        assert all(crashing.claim("dead", job_id=job.id) for job in jobs)
        later += 1
    for lane in (MAIN, "musicbrainz"):
        work(settings, lane=lane, until_empty=True)
    assert [(queue.get(job.id).state, queue.get(job.id).message) for job in jobs] == [("failed", GIVEN_UP)] * 3
    assert web.server.asked == []


def test_a_stop_before_the_first_step_asks_nobody(
    settings: Settings, database: Database, queue: Queue, web: Web
) -> None:
    gone = Queue(database, lease_s=-1.0)  # its workers are dead at once
    jobs = [
        kinds.submit_read(queue, [uri(1)], take_in=True),
        kinds.submit_search(queue, ["techno"]),
        kinds.submit_genre_votes(queue),
    ]
    for job in jobs:
        assert gone.claim("dead", job_id=job.id)
        queue.request_stop(job.id)
    for lane in (MAIN, "musicbrainz"):
        work(settings, lane=lane, until_empty=True)
    assert [queue.get(job.id).state for job in jobs] == ["stopped"] * 3 and web.server.asked == []
