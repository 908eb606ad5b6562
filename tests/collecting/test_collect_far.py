"""Songs searched for and fetched by the workers of a real cluster: the same rows as without, at the same pace."""

import os
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.collecting import collect
from core.collecting.collect import Collector, Options
from core.database import Database
from core.errors import ClusterError, JobStopped
from core.jobs import cluster
from core.library.collection import Collection
from core.library.store import Library
from core.settings import Settings
from tests.cluster import are_idle, running
from tests.collecting.song_host import SECONDS, SongHost, sound
from tests.collecting.test_collect import _in_a_hurry, host, listed, own, song, take_in  # noqa: F401
from tests.collecting.youtube import Recording, YouTube
from tests.jobs.test_compute import until
from tests.loopback import Loopback, serving
from tests.sources.conftest import certificate, for_other_processes  # noqa: F401

pytestmark = pytest.mark.slow

FAULTS = ["", "gone", "", "wrong", "limited", ""]
STROBE = Recording("song0000000", "Strobe", "deadmau5 - Topic", SECONDS, sound=sound(90))
COVER = Recording("cover000000", "Ghosts", "Nobody Known", SECONDS, sound=sound(91))


@pytest.fixture(scope="module")
def surroundings(certificate: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:  # noqa: F811
    """An internet that is YouTube, for whoever begins with these variables."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with serving(YouTube([STROBE, COVER]), tls) as internet:
        yield for_other_processes(internet, certificate, tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def scheduler(surroundings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("cluster"), surroundings=surroundings) as address:
        yield address


def run(database: Database, settings: Settings, **rest: Any) -> dict[str, Any]:
    told = Collector(Library(database), Collection(database), settings, Options(patience_s=5.0), job_id=1, **rest).run()
    told.pop("seconds")
    return told


def rows(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """What is kept of tracks, sounds, matches and spectrograms, whatever the time and the place."""
    asked = {
        "collecting": "SELECT track_id, state, reason, message FROM collecting",
        "candidates": "SELECT track_id, url, candidate, score, reasons, rules, state, reason, message, "
        "json_extract(sound, '$.path', '$.sha256', '$.duration_s') FROM candidates",
        "audio_files": "SELECT track_id, path, sha256, size_bytes, container, duration_s FROM audio_files",
        "spectrograms": "SELECT sha256, fingerprint, n_frames, band_mean, band_std, spectrograms.state "
        "FROM spectrograms JOIN audio_files ON id = audio_id",
    }
    with database.read() as db:
        return {name: sorted(map(repr, map(tuple, db.execute(sql)))) for name, sql in asked.items()}


def test_the_same_rows_come_out(
    scheduler: str,
    surroundings: dict[str, str],
    host: tuple[SongHost, Loopback],  # noqa: F811
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    songs, server = host
    songs.faults = FAULTS

    def collected(home: str, **changes: Any) -> tuple[dict[str, Any], dict[str, list[tuple[Any, ...]]]]:
        songs.asked.clear()
        told = own(settings, server, home=tmp_path / home, fetch_pause_s=0.0, **changes)
        database = Database(told.database)
        take_in(database, *[song(server, n) for n in range(len(FAULTS))])
        take_in(database, listed("Strobe", seconds=SECONDS), listed("Ghosts", seconds=SECONDS), genre="house")
        came_to, kept = run(database, told), rows(database)
        here = str(told.home)
        return came_to, {name: [one.replace(here, "") for one in some] for name, some in kept.items()}

    near, far = collected("near"), collected("far", dask_scheduler=scheduler)
    assert near[0] == {"fetched": 5, "failed": {"gone": 1, "wrong length": 1}, "doubtful": 1, "waiting": 0}
    assert far == near
    assert not list((tmp_path / "far" / "data" / "audio").glob(".partial-*"))


def test_what_is_stuck_is_ended_and_holds_up_no_worker(
    scheduler: str,
    host: tuple[SongHost, Loopback],  # noqa: F811
    database: Database,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collect, "TRIES", 1)
    songs, server = host
    songs.faults = ["hanging", "hanging", "hanging", "", ""]
    take_in(database, *[song(server, n) for n in range(5)])
    told = run(database, own(settings, server, song_time_limit_s=2.0, dask_scheduler=scheduler))
    songs.patience.set()
    assert (told["fetched"], told["failed"]) == (2, {"stuck": 3})
    assert Collection(database).standings()[1].message == "It was given up after 2 s."


def crash(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_song_that_takes_its_workers_down_is_told_and_harms_no_other(
    scheduler: str,
    host: tuple[SongHost, Loopback],  # noqa: F811
    database: Database,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, server = host
    take_in(database, song(server, 0))
    told = own(settings, server, dask_scheduler=scheduler)
    with monkeypatch.context() as patched:
        patched.setattr(collect.song, "fetch", crash)
        assert run(database, told)["failed"] == {"unexpected": 1}
    assert "crashed" in Collection(database).standings()[1].message
    take_in(database, song(server, 1), genre="house")
    assert run(database, told)["fetched"] == 1


def test_a_stop_ends_what_is_being_fetched_and_the_next_run_fetches_it(
    scheduler: str,
    host: tuple[SongHost, Loopback],  # noqa: F811
    database: Database,
    settings: Settings,
) -> None:
    songs, server = host
    songs.faults = ["hanging", ""]
    take_in(database, song(server, 0), song(server, 1))
    told = own(settings, server, dask_scheduler=scheduler)

    def check() -> None:
        if songs.asked[0]:
            raise JobStopped("Stopped.")

    with pytest.raises(JobStopped):
        run(database, told, check=check)
    assert until(lambda: are_idle(scheduler), within_s=10)
    songs.faults = ["", ""]
    assert run(database, told)["fetched"] == 2


def test_a_scheduler_that_is_not_there_blames_no_song_and_with_nothing_to_do_is_not_asked(
    host: tuple[SongHost, Loopback],  # noqa: F811
    database: Database,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cluster, "CONNECT_S", 0.5)
    _, server = host
    told = own(settings, server, dask_scheduler="tcp://127.0.0.1:1")
    assert run(database, told)["waiting"] == 0
    take_in(database, song(server, 0))
    with pytest.raises(ClusterError, match="does not answer"):
        run(database, told)
    assert len(Collection(database).wanted()) == 1 and server.asked == []
