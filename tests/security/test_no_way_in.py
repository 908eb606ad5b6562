"""What a stranger may try, with real payloads: paths, SQL, scripts, formulas, secrets, foreign pages.

More of it lies where it belongs: requests into the local network in tests/test_fetch*.py and tests/collecting, media that name
others in tests/audio/test_waveform.py, model zips in tests/learning/test_sharing.py, pages in tests/app/test_pages.py.
"""

import contextlib
import csv
import http.client
import io
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app.ui import plain
from core.database import Database
from core.errors import GenrescopeError
from core.files import csv_text
from core.jobs import kinds
from core.jobs.worker import open_queue
from core.learning import model, reporting, sharing
from core.learning.plan import Request
from core.learning.training import check_name_free
from core.library.evaluations import EvaluatedSong, Evaluation
from core.library.genres import Genres
from core.library.mapping import GenreMapping, PlaylistEntry, as_csv
from core.library.playlists import Playlists
from core.library.runs import Runs
from core.library.store import Library
from core.library.summary import matching
from core.music import ListedTrack, Playlist
from core.recipes import TrainingRecipe
from core.settings import PROJECT, Settings
from tests.models import publish
from tests.mutated import mutated
from tests.security.thrown import sounds
from tests.soak import often
from tests.sounds import drone, write_sound
from tests.visitor import Visitor

PATHS = [
    "../secret", "..", ".", "../../etc/passwd", "/etc/passwd", "a/../../secret", "a\\..\\..\\secret", "C:\\secret",
    "file:///etc/passwd", "%2e%2e%2fsecret", "..%c0%afsecret", "secret\0.txt", "~/secret", "~root", ".hidden",
    "\uff0e\uff0e/secret", "con", "NUL", "x" * 300, "", " ", "a\nb", "\u202etxt.exe", "$(id)", "`id`", "a;id", "-rf",
]  # fmt: skip
SQL = [
    "' OR 1=1 --", "'; DROP TABLE tracks; --", '" OR ""="', "%' UNION SELECT sql FROM sqlite_master --", "\\' OR 1=1",
    "x') OR ('1'='1", "1; ATTACH DATABASE '/tmp/owned.db' AS o", "%", "_", "[a-z]", "NULL", "\0", "\U0001f600'",
]  # fmt: skip
SCRIPTS = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "<svg/onload=alert(1)>", "</title><script>x</script>",
    "<iframe src=javascript:alert(1)>", "';alert(1)//", "</style><script>x</script>", "<a href='javascript:x'>y</a>",
    "\u2028<script>x</script>", "<!--<script>", "&lt;script&gt;", "<ScRiPt >x</sCrIpT >",
]  # fmt: skip
FORMULAS = ["=1+1", "+1", "-1+1", "@SUM(A1)", "=cmd|' /C calc'!A0", '=HYPERLINK("http://x")', "\t=1", "\r=1"]
SECRET = "s3cr3t-c0ffee-d00d"


# -- paths -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PATHS)
def test_no_name_of_a_model_leads_out_of_the_workspace(settings: Settings, tmp_path: Path, name: str) -> None:
    secret = tmp_path / "secret"
    secret.mkdir(exist_ok=True)
    (secret / "card.json").write_text("{}")
    publish(settings.models / "mine")
    before = sorted(path.name for path in settings.models.iterdir())
    for attempt in (
        lambda: model.check_name(name),
        lambda: model.rename(settings, "mine", name),
        lambda: model.rename(settings, name, "mine2"),
        lambda: model.delete(settings, name),
        lambda: sharing.import_zip(b"", settings, name=name),
        lambda: check_name_free(Runs(Database(settings.database)), settings, name, TrainingRecipe(), Request()),
        lambda: model.load(model.find(settings, name)),
    ):
        with pytest.raises((GenrescopeError, ValueError)):
            attempt()
    assert sorted(path.name for path in settings.models.iterdir()) == before
    assert [path.name for path in secret.iterdir()] == ["card.json"]


@pytest.mark.parametrize("name", PATHS)
def test_a_zip_s_own_name_becomes_a_harmless_one(name: str) -> None:
    became = sharing.name_from(name)
    if became is not None:
        assert "/" not in became and "\\" not in became and not became.startswith(".")


@pytest.mark.slow
@pytest.mark.parametrize("page", ["predict", "train", "evaluate", "explore", "library", "playlists", "label", "map"])
def test_no_parameter_of_an_address_does_any_harm(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, page: str
) -> None:
    monkeypatch.setenv("GENRESCOPE_HOME", str(settings.home))
    st.cache_resource.clear()  # else the workspace is that of the page's test before
    st.cache_data.clear()
    for key in ("model", "run", "track", "evaluation", "playlist", "job", "genre", "page", "q"):
        shown = AppTest.from_file(str(PROJECT / "pages" / f"{page}.py"), default_timeout=60)
        for number, payload in enumerate(("../../etc/passwd", SQL[1], SCRIPTS[0], "-1", "9" * 30)):
            shown.query_params[f"{key}"] = payload
            if number and key != "model":
                continue  # one is enough for what no page reads
            shown.run()
            assert not shown.exception, (page, key, payload, shown.exception)
            assert all("<script" not in str(one.value).lower() for one in shown.markdown)


# -- SQL ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", SQL)
def test_no_text_is_read_as_sql(database: Database, library: Library, text: str) -> None:
    tracks = (ListedTrack(text, (text,), text), ListedTrack("B", ("C",)))
    playlist = Playlist("csv", text, text, tracks)
    with contextlib.suppress(GenrescopeError):
        Playlists(database).take_in(playlist, {text: 1.0})
    Playlists(database).take_in(Playlist("csv", "good", "good", (ListedTrack("B", ("C",)),)), {"techno": 1.0})
    before = len(library.tracks(""))
    for read in (
        lambda: matching(library.tracks(text), text),
        lambda: Genres(database).canonical(text),
        lambda: Runs(database).find(text),
        lambda: library.without_spectrogram(text),
        lambda: library.counts(text),
        lambda: open_queue(Settings(home=database.path.parents[1]), database).history(text),
    ):
        with contextlib.suppress(GenrescopeError):
            read()
    assert len(library.tracks("")) == before >= 1
    with database.read() as db:
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert not Path("/tmp/owned.db").exists()


# -- scripts and formulas ----------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs


def evaluation(text: str) -> tuple[Evaluation, list[EvaluatedSong]]:
    genres = (text, "b")
    about = {"model": text, "folder": text, "protocol": "artist", "folds": 2, "name": text}
    spectra = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)
    songs = [
        EvaluatedSong(f"{n:064x}", text, text, text, n, np.eye(2, dtype=np.float32)[n], spectra[n]) for n in range(2)
    ]
    return Evaluation(1, text, "folder", about, genres, None, None, "2026-01-01", "2026-01-01"), songs


@pytest.mark.parametrize("text", SCRIPTS)
def test_no_text_runs_in_an_exported_report(text: str) -> None:
    page = reporting.as_html(*evaluation(text))
    read = Tags()
    read.feed(page)
    assert read.tags.isdisjoint({"script", "iframe", "object", "embed", "base", "form", "link", "img"}), read.tags
    assert not [name for name, _ in read.attributes if name.startswith("on")]
    assert not [value for _, value in read.attributes if value and value.strip().lower().startswith("javascript:")]
    assert "default-src 'none'" in page, "and a browser is told that nothing may run"


def cells_of(text: str) -> list[str]:
    return [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_of_an_exported_table_is_a_formula(text: str) -> None:
    exported = [
        csv_text([(text, 1)]),
        reporting.songs_csv(*evaluation(text)),
        reporting.figures_csv(*evaluation(text)),
        as_csv(GenreMapping(playlists=[PlaylistEntry(source="csv", reference=text, title=text, genres={text: 1.0})])),
    ]
    for table in exported:
        for cell in cells_of(table):
            number = cell.lstrip("+-").replace(".", "", 1).isdigit()
            assert number or not cell.startswith(("=", "+", "-", "@", "\t", "\r")), cell


# -- secrets -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_secrets_are_in_nothing_that_is_kept_or_told(tmp_path: Path) -> None:
    """The whole workspace is searched after commands that use them, fail, and back up."""
    home = tmp_path / "home"
    environment = {
        **os.environ,
        "GENRESCOPE_SPOTIFY_CLIENT_ID": f"id-{SECRET}",
        "GENRESCOPE_SPOTIFY_CLIENT_SECRET": SECRET,
        "GENRESCOPE_SPOTIFY_ACCOUNTS_URL": "http://127.0.0.1:9",
        "GENRESCOPE_SPOTIFY_API_URL": "http://127.0.0.1:9",
    }
    told = []
    for command in (
        ["doctor", "--json"],
        ["status", "--json"],
        ["playlists", "read", "spotify:playlist:37i9dQZF1DX4dyzvuaRJ0n", "--json"],
        ["worker", "--until-empty"],
    ):
        ran = subprocess.run(
            [sys.executable, "-m", "core", *command, "--home", str(home)],
            cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        told.append(ran.stdout + ran.stderr)
    assert SECRET not in "".join(told)
    assert "spotify" in "".join(told).lower(), "the commands did come to Spotify"
    settings = Settings(home=home, spotify_client_id=SECRET, spotify_client_secret=SECRET)  # type: ignore[arg-type]
    for shown in (
        repr(settings),
        str(settings),
        settings.model_dump_json(),
        json.dumps(settings.model_dump(), default=str),
    ):
        assert SECRET not in shown
    for path in home.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path


def test_job_rows_hold_no_secret(settings: Settings, database: Database) -> None:
    queue = open_queue(settings, database)
    kinds.submit_read(queue, ["spotify:playlist:x"], take_in=True, genres={})
    with database.read() as db:
        rows = json.dumps([dict(row) for row in db.execute("SELECT * FROM jobs")])
    assert not any(word in rows.lower() for word in ("secret", "token", "password", "bearer"))


# -- the server --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The real app, as it is started by `make app`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
    home = tmp_path_factory.mktemp("home")
    server = subprocess.Popen(
        [str(Path(sys.executable).with_name("streamlit")), "run", "app/main.py", "--server.port", str(number),
         "--server.headless", "true"],
        cwd=PROJECT, env={**os.environ, "GENRESCOPE_HOME": str(home)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{number}/_stcore/health"):
                break
            time.sleep(0.2)
        yield number
    finally:
        server.kill()
        server.wait()


def upgrade(port: int, *, host: str, origin: str | None) -> int:
    """The status with which the app answers a browser that wants to talk with it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest("GET", "/_stcore/stream", skip_host=True)
    told = {
        "Host": host, "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "streamlit",
    }  # fmt: skip
    for name, value in told.items():
        connection.putheader(name, value)
    if origin:
        connection.putheader("Origin", origin)
    connection.endheaders()
    with contextlib.closing(connection):
        return connection.getresponse().status


def test_only_its_own_pages_talk_with_the_app(port: int) -> None:
    here = f"127.0.0.1:{port}"
    assert upgrade(port, host=here, origin=f"http://{here}") == 101
    assert upgrade(port, host=f"localhost:{port}", origin=f"http://localhost:{port}") == 101
    for origin in ("http://evil.example", f"http://evil.example:{port}", "null", "https://127.0.0.1.evil.example"):
        assert upgrade(port, host=here, origin=origin) == 403, origin


def test_a_name_that_was_made_to_lead_here_is_not_answered(port: int) -> None:
    """DNS rebinding: the page of evil.example, whose name leads to 127.0.0.1 a moment later, is of our own origin."""
    for host in (f"evil.example:{port}", "evil.example", f"127.0.0.1.evil.example:{port}"):
        assert upgrade(port, host=host, origin=f"http://{host}") == 403, host


def test_an_upload_without_the_token_of_a_page_is_refused(port: int) -> None:
    for origin in (None, "http://evil.example"):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/_stcore/upload_file/a/b", data=b"x", method="PUT",
            headers={"Origin": origin} if origin else {},
        )  # fmt: skip
        with pytest.raises(urllib.error.HTTPError) as told:
            urllib.request.urlopen(request)
        assert told.value.code == 403


def test_an_upload_is_of_its_own_session_alone(port: int, tmp_path: Path) -> None:
    """Also for somebody who was told its address, which holds two random numbers of 122 bits each."""
    url, name = f"http://127.0.0.1:{port}", "mine.wav"
    song = write_sound(tmp_path / name, drone(np.random.default_rng(0), 5.0)).read_bytes()
    with Visitor(url, "predict") as owner, Visitor(url, "predict") as other:
        address = owner.address(name)
        owner.put(address, name, song).raise_for_status()
        with urllib.request.urlopen(f"{url}{address.upload_url}", timeout=20) as answer:
            assert b"<html" in answer.read().lower(), "the page that every address gets"
        other.tell(address, name, len(song))
        other.rest()
        assert not other.reads("mine") and other.errors == []
        owner.tell(address, name, len(song))
        owner.wait(lambda: owner.reads(f"##### {plain(name)}"))
        other.again()
        other.rest()
        assert not other.reads("mine")
        address.upload_url = address.upload_url.replace(address.upload_url.split("/")[-2], "no-such-session")
        assert other.put(address, name, song).status_code == 400


@pytest.mark.slow
def test_a_page_answers_whatever_is_dropped_on_it(port: int) -> None:
    """Damaged sounds under names that mean harm: each is answered or told, within 10 s, and the page goes on.

    Without NUL in a name, which Streamlit refuses and no browser sends.
    """
    stems = [stem for stem in PATHS + SQL + SCRIPTS if "\0" not in stem]
    outcomes = Counter[str]()
    with Visitor(f"http://127.0.0.1:{port}", "predict") as page:
        for number in range(often(40, 520)):
            rng = np.random.default_rng([7, number])
            data = mutated(sounds()[number % len(sounds())], rng) if number % 5 else sounds()[number % len(sounds())]
            name = (
                f"{stems[number % len(stems)]} {number}{('.mp3', '.m4a', '.webm', '.ogg', '.flac', '.wav')[number % 6]}"
            )
            begun = time.monotonic()
            page.drop(name, data)
            page.rest()
            assert time.monotonic() - begun < 10, name
            assert page.errors == [] and not page.reads("Traceback") and not page.reads("nobody foresaw"), (
                name,
                page.texts,
            )
            outcomes["answered" if page.reads("##### ") else "told"] += 1
            assert page.reads("Remove this song") or page.reads("Remove it"), (name, page.texts)
            page.press("Remove (this song|it)")
            page.rest()
            assert page.errors == [] and not page.reads("nobody foresaw")
    sys.stdout.write(f"\ndropped: {dict(outcomes)}\n")
    assert len(outcomes) == 2


@pytest.mark.parametrize(
    "path",
    [
        "/media/../../../etc/passwd", "/media/%2e%2e%2f%2e%2e%2fetc/passwd", "/app/static/../main.py",
        "/component/x/../../etc/passwd", "/..%2f..%2fetc%2fpasswd", "/static/../../../../etc/passwd",
        "/component/app.player/..%2f..%2fstate.py", "/data/library.db", "/.streamlit/secrets.toml", "/.env",
    ],
)  # fmt: skip
def test_no_path_of_the_server_leads_to_a_file(port: int, path: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
    assert b"root:" not in body and b"SQLite" not in body and b"import " not in body[:2000]
    assert answer.status >= 400 or b"<html" in body.lower(), "an error, or the page that every address gets"
