"""A collection with the faults of real hosts, and its process killed with -9 at random moments.

Most tracks have an address of their own at a host on loopback; one in ten is only a name, and is searched for on a made-up
YouTube, which lists the songs of all others too. Every track ends fetched, or told why not; nothing is fetched twice; no
half file is ever taken for a song.
`GENRESCOPE_TEST_TRACKS` and `GENRESCOPE_TEST_KILLS` say how many (80 and 3 unless told); every moment comes from a seed.
"""

import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.audio.waveform import probe
from core.database import Database
from core.library.playlists import Playlists
from core.music import ListedTrack, Playlist
from core.settings import Settings
from tests.collecting.song_host import SECONDS, SongHost, faults_of, sound
from tests.collecting.youtube import Recording, YouTube
from tests.loopback import Answer, Asked, Loopback, serving
from tests.soak import often
from tests.sources.conftest import certificate, for_other_processes  # noqa: F401

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).resolve().parents[2]
TRACKS = int(os.environ.get("GENRESCOPE_TEST_TRACKS", often(80, 400)))
KILLS = int(os.environ.get("GENRESCOPE_TEST_KILLS", often(3, 20)))
ENDS = {
    "": "fetched", "limited": "fetched", "gone": "gone", "refused": "refused", "hanging": "stuck",
    "truncated": "damaged", "wrong": "wrong length",
}  # fmt: skip
"""How a song with each fault ends."""


SEARCHED = range(0, TRACKS, 10)
"""Songs that are only names."""


class Outside:
    """YouTube with the songs that are only names; their sound comes with the faults of `songs`."""

    def __init__(self, songs: SongHost) -> None:
        self._songs = songs
        found = [Recording(f"{n:011d}", title(n), f"{artist(n)} - Topic", SECONDS, sound=sound(n)) for n in SEARCHED]
        live = [replace(one, id=f"live{one.id[4:]}", title=f"{one.title} (Live)", channel="a fan") for one in found]
        self._youtube = YouTube([*live, *found])

    def __call__(self, asked: Asked) -> Answer:
        if asked.path == "/videoplayback":
            return self._songs(replace(asked, path=f"/{int(asked.query['of'])}.wav"))
        return self._youtube(asked)


def title(number: int) -> str:
    return f"Song number {number}"


def artist(number: int) -> str:
    return f"Artist {number % 50}"


@pytest.fixture
def host() -> Iterator[tuple[SongHost, Loopback]]:
    songs = SongHost(faults_of(TRACKS))
    with serving(songs) as server:
        yield songs, server
        songs.patience.set()


@pytest.fixture
def surroundings(
    host: tuple[SongHost, Loopback],
    certificate: Path,  # noqa: F811
    settings: Settings,
    tmp_path: Path,
) -> Iterator[dict[str, str]]:
    """The environment of a process that collects."""
    songs, server = host
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with serving(Outside(songs), tls) as internet:
        yield {
            **os.environ,
            **for_other_processes(internet, certificate, tmp_path),
            "GENRESCOPE_HOME": str(settings.home),
            "GENRESCOPE_ALLOWED_HOSTS": server.url.removeprefix("http://"),
            "GENRESCOPE_FETCH_PAUSE_S": "0",
            "GENRESCOPE_SONG_TIME_LIMIT_S": "20",
            "GENRESCOPE_LEASE_S": "1",
        }


def listed(server: Loopback) -> Playlist:
    """All songs, those of `SEARCHED` without an address."""
    tracks = tuple(
        ListedTrack(title(n), (artist(n),), "", SECONDS, None, str(n), "" if n in SEARCHED else f"{server.url}/{n}.wav")
        for n in range(TRACKS)
    )
    return Playlist("csv", "/private.csv", "Private", tracks)


def collect(surroundings: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "core", "collect", "--at-once", "4", "--json"]
    return subprocess.Popen(command, cwd=PROJECT, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def fetched(database: Database) -> dict[int, str]:
    """SHA-256 of every song that the library has, by its number."""
    with database.read() as db:
        rows = db.execute("SELECT title, sha256 FROM audio_files JOIN tracks ON tracks.id = track_id").fetchall()
    return {int(name.removeprefix(title(0)[:-1])): sha256 for name, sha256 in rows}


def standing(database: Database) -> dict[int, str]:
    """How each song that was tried stands: `fetched`, `waiting`, or the reason of its failure."""
    with database.read() as db:
        rows = db.execute(
            "SELECT title, iif(state = 'failed', reason, state) FROM collecting JOIN tracks ON tracks.id = track_id"
        ).fetchall()
    return {int(name.removeprefix(title(0)[:-1])): state for name, state in rows}


def peak_bytes(process: subprocess.Popen[bytes]) -> int:
    """What a process and those it began take now."""
    total, waiting = 0, [process.pid]
    while waiting:
        pid = waiting.pop()
        try:
            status = Path(f"/proc/{pid}/smaps_rollup").read_text()
            total += 1024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("Pss:")))
            waiting += [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except (OSError, StopIteration):
            continue
    return total


def test_a_collection_survives_faults_and_kills(
    host: tuple[SongHost, Loopback], surroundings: dict[str, str], settings: Settings
) -> None:
    songs, server = host
    database = Database(settings.database)
    Playlists(database).take_in(listed(server), None)
    rng, begun, peak = np.random.default_rng(1), time.monotonic(), 0

    for kill in range(KILLS):
        process = collect(surroundings)
        goal = len(fetched(database)) + int(rng.integers(1, max(2, TRACKS // (2 * KILLS))))
        while len(fetched(database)) < goal and process.poll() is None:
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 0.3))
        alive = process.poll() is None
        before, asked_before = fetched(database), Counter(songs.asked)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert alive, f"kill {kill} came in the midst of the work"
        for number in before:
            assert songs.asked[number] == asked_before[number]

    known, asked_before = set(fetched(database)), Counter(songs.asked)
    process = collect(surroundings)
    while process.poll() is None:
        peak = max(peak, peak_bytes(process))
        time.sleep(0.2)
    out, err = process.communicate()
    took_s = time.monotonic() - begun
    answer: dict[str, Any] = json.loads(out)
    sys.stdout.write(
        f"\n{TRACKS} tracks, {KILLS} kills: {took_s:.0f} s, {60 * len(fetched(database)) / took_s:.0f} songs a minute, peak "
        f"{peak / 1e6:.0f} MB; {answer}\n"
    )

    # every track ends fetched, or told why
    assert standing(database) == {number: ENDS[fault] for number, fault in enumerate(songs.faults)}, err.decode()[
        -2000:
    ]
    failed = Counter(ENDS[fault] for fault in songs.faults if ENDS[fault] != "fetched")
    assert answer["failed"] == dict(failed) and answer["waiting"] == 0 and answer["doubtful"] == 0
    assert process.returncode == 1, "some failed, and that is told"
    # nothing is fetched twice
    assert all(songs.asked[number] == asked_before[number] for number in known)
    again = {n for n in fetched(database) if songs.asked[n] > 1 + (songs.faults[n] == "limited")}
    assert len(again) <= 4 * KILLS, "only what a kill cut off was asked for again"
    # no half file is taken for a song, and none is left over
    assert fetched(database) == {
        number: probe(BytesIO(sound(number)), read_packets=True).packets_sha256
        for number, fault in enumerate(songs.faults)
        if ENDS[fault] == "fetched"
    }
    with database.read() as db:
        paths = {Path(row[0]) for row in db.execute("SELECT path FROM audio_files")}
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert db.execute("SELECT count(*) FROM spectrograms WHERE state = 'done'").fetchone()[0] == len(paths)
    assert all(probe(path, read_packets=True).packets_sha256 == path.stem for path in paths)
    left = {path for path in settings.audio.rglob("*") if path.is_file() and path.suffix == ".wav"}
    assert left == paths

    # doing it again asks nobody
    n_asked = len(server.asked)
    again_process = collect(surroundings)
    out, _ = again_process.communicate()
    assert json.loads(out)["fetched"] == 0 and json.loads(out)["failed"] == answer["failed"]
    assert len(server.asked) == n_asked
