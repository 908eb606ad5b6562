"""`match` and `collect` on the command line."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.database import Database
from core.library.playlists import Playlists
from core.settings import Settings
from core.sources.lists import read_list
from tests.collecting.song_host import SongHost
from tests.loopback import Loopback, serving

PROJECT = Path(__file__).resolve().parents[2]
ROW = {
    "id": "one",
    "query": {"title": "Strobe", "artists": ["deadmau5"], "duration_s": 637.2},
    "candidates": [
        {"video_id": "live", "title": "deadmau5 - Strobe (Live)", "channel": "a fan", "duration_s": 637},
        {"video_id": "song", "title": "Strobe", "channel": "deadmau5 - Topic", "duration_s": 637, "views": None},
    ],
}

Core = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def core(settings: Settings) -> Core:
    """Runs a command in a process of its own, in the test's workspace."""

    def run(*arguments: object, **surroundings: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "core", *map(str, arguments)]
        env = {**os.environ, "GENRESCOPE_HOME": str(settings.home), **surroundings}
        return subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False)

    return run


def rows(tmp_path: Path, *rows: Any) -> Path:
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return file


# -- match -------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_match_says_which_and_why(core: Core, tmp_path: Path) -> None:
    told = core("match", rows(tmp_path, ROW), "--json")
    (answer,) = json.loads(told.stdout)
    assert told.returncode == 0 and set(answer) == {"id", "accepted", "score", "reasons"}
    assert (answer["id"], answer["accepted"]) == ("one", "song")
    assert sum(answer["reasons"].values()) == pytest.approx(answer["score"])


def test_where_none_is_the_track_the_best_says_why_not(core: Core, tmp_path: Path) -> None:
    told = core(
        "match", rows(tmp_path, {**ROW, "candidates": ROW["candidates"][:1]}, {**ROW, "candidates": []}), "--json"
    )
    live, nothing = json.loads(told.stdout)
    assert live["accepted"] is None and live["reasons"]["live"] < 0
    assert nothing == {"id": "one", "accepted": None, "score": None, "reasons": {}}
    assert "none" in core("match", rows(tmp_path, ROW, {**ROW, "candidates": []})).stdout


def test_match_takes_what_is_missing_null_or_odd(core: Core, tmp_path: Path) -> None:
    odd = [
        {"id": 1, "query": {}, "candidates": [{}]},
        {"id": None, "query": {"title": None, "artists": None, "duration_s": "x", "isrc": 5}, "candidates": [{"title": 3}]},
        {"id": "x", "query": {"title": "אורטגה\u2028🎵", "artists": ["", "\u0000"]}, "candidates": [{"video_id": "v", "duration_s": 1e300}]},
    ]  # fmt: skip
    told = core("match", rows(tmp_path, *odd, ""), "--json")
    assert [row["accepted"] for row in json.loads(told.stdout)] == [None] * 3, told.stderr
    assert json.loads(core("match", rows(tmp_path), "--json").stdout) == []


@pytest.mark.parametrize(
    "bad", ["{", "[]", "null", '{"id": 1}', '{"id": 1, "query": 2, "candidates": []}', "[" * 100_000]
)
def test_match_names_the_line_that_it_cannot_read(core: Core, tmp_path: Path, bad: str) -> None:
    told = core("match", rows(tmp_path, ROW, bad), "--json")
    assert told.returncode == 1 and "Line 2" in json.loads(told.stdout)["error"] and "Traceback" not in told.stderr


def test_match_says_what_is_wrong_with_the_file(core: Core, tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b'{"id": "\xe9"}')
    for file in (tmp_path / "absent", tmp_path / "latin", tmp_path):
        told = core("match", file, "--json")
        assert told.returncode == 1 and str(file) in json.loads(told.stdout)["error"]


# -- collect -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def host(settings: Settings) -> Iterator[tuple[SongHost, Loopback]]:
    songs = SongHost(["", "gone", ""])
    with serving(songs) as server:
        playlist = read_list("private.m3u", songs.listed(server.url).encode())
        Playlists(Database(settings.database)).take_in(playlist, {"techno": 1.0})
        yield songs, server


@pytest.mark.slow
def test_collect_fetches_tells_and_tries_again(core: Core, host: tuple[SongHost, Loopback]) -> None:
    songs, server = host
    allowed = {"GENRESCOPE_ALLOWED_HOSTS": server.url.removeprefix("http://")}
    told = core("collect", "--limit", 2, "--json", **allowed)
    answer = json.loads(told.stdout)
    assert answer.pop("seconds") > 0 and told.returncode == 1
    assert answer == {"fetched": 1, "failed": {"gone": 1}, "doubtful": 0, "waiting": 1}
    assert json.loads(core("collect", "--json", **allowed).stdout)["fetched"] == 1
    assert songs.asked[1] == 1, "what failed is not tried again by itself"
    songs.faults = [""] * 3
    core("collect", "--retry-failed", "--reason", "geo", "--json", **allowed)
    assert songs.asked[1] == 1
    told = core("collect", "--retry-failed", **allowed)
    assert told.returncode == 0 and "1 songs fetched" in told.stdout


def test_what_failed_is_told_with_what_to_do(core: Core, host: tuple[SongHost, Loopback]) -> None:
    _, server = host
    told = core("collect")
    assert told.returncode == 1 and "GENRESCOPE_ALLOWED_HOSTS" in told.stderr and server.asked == []


@pytest.mark.slow
def test_collect_by_genre_and_without_sound(core: Core, host: tuple[SongHost, Loopback], settings: Settings) -> None:
    _, server = host
    allowed = {"GENRESCOPE_ALLOWED_HOSTS": "127.0.0.1"}
    assert json.loads(core("collect", "--genre", "polka", "--json", **allowed).stdout)["fetched"] == 0
    assert server.asked == []
    told = json.loads(core("collect", "--genre", "Techno", "--no-keep-sound", "--json", **allowed).stdout)
    assert (
        told["fetched"] == 2 and not list(settings.audio.rglob("*.wav")) and list(settings.spectrograms.rglob("*.npy"))
    )


@pytest.mark.parametrize(
    "wrong",
    [("--at-once", "5"), ("--limit", "0"), ("--reason", "gone"), ("--no-keep-sound", "--no-spectrograms")],
)
def test_wrong_usage_is_refused(core: Core, wrong: tuple[str, ...]) -> None:
    assert core("collect", *wrong).returncode == 2


def test_hosts_that_are_none_are_told(core: Core, host: tuple[SongHost, Loopback]) -> None:
    told = core("collect", "--json", GENRESCOPE_ALLOWED_HOSTS="http://x/")
    assert told.returncode == 1 and "GENRESCOPE_ALLOWED_HOSTS" in json.loads(told.stdout)["error"]
