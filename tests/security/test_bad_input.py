"""Bad input of every kind: always an answer or one of our errors, within 10 s and bounded memory."""

import contextlib
import io
import resource
import struct
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.audio.spectrogram import mel_filters
from core.audio.waveform import probe
from core.database import Database
from core.errors import AudioError, GenrescopeError, LibraryError, SourceError
from core.files import whole
from core.inference import apart
from core.inference.prediction import Prediction, predict_each
from core.jobs.compute import Limits, fan_out
from core.learning import model
from core.learning.sharing import as_zip
from core.library.importing import import_folder, read_csv
from core.library.mapping import parse
from core.library.preprocessing import codes_of
from core.library.store import Library
from core.recipes import SpectrogramRecipe
from core.settings import Settings
from core.sources.lists import read_list
from tests.models import publish
from tests.security.thrown import GOOD_ZIP, throw
from tests.soak import MINUTES, often
from tests.sounds import pcm_wav, tone, write_sound

LIMITS = Limits(seconds=40.0, memory_bytes=1_200_000_000)
"""For each file; the seconds of the first include what its process has to load. Each file itself has 10."""
RECIPE = SpectrogramRecipe()
FILTERS = mel_filters(RECIPE)
SHARES = {"sound": 0.25, "playlist": 0.05, "mapping": 0.05, "songs_table": 0.03, "model_zip": 0.07}
"""Of the minutes of a soak."""


@pytest.fixture(scope="module")
def good_zip(tmp_path_factory: pytest.TempPathFactory) -> None:
    with whole(GOOD_ZIP) as partial:
        partial.write_bytes(as_zip(publish(tmp_path_factory.mktemp("model") / "good")))


@pytest.mark.slow
@pytest.mark.usefixtures("good_zip")
@pytest.mark.parametrize("kind", SHARES)
def test_whatever_is_thrown_is_answered_or_told(kind: str) -> None:
    least = 520 if kind != "model_zip" else often(200, 520)
    end = time.monotonic() + 60 * MINUTES * SHARES[kind]
    outcomes, slowest, number = Counter[str](), 0.0, 0
    processes = often(1, 2)

    def items() -> "list[tuple[str, int]]":
        nonlocal number
        first, number = number, number + least
        return [(kind, one) for one in range(first, number)]

    while number == 0 or time.monotonic() < end:
        for item, answer in fan_out(throw, items(), processes=processes, check=lambda: None, limits=LIMITS):
            assert not isinstance(answer, Exception), f"{item}: {answer!r}"
            outcome, seconds = answer
            outcomes[outcome] += 1
            slowest = max(slowest, seconds)
    sys.stdout.write(f"\n{number} {kind}: {dict(outcomes)}, slowest {slowest:.1f} s\n")
    assert sum(outcomes.values()) == number >= least
    assert len(outcomes) > 1, "some are refused, and some are so little damaged that they are read"
    assert slowest < 10


# -- texts that are made for it ----------------------------------------------------------------------------------------


def quick(seconds: float = 10.0) -> "Quick":
    return Quick(seconds)


class Quick:
    """A block that has to end within so many seconds, and in which memory does not grow by a gigabyte."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        self._begun = time.monotonic()
        self._peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def __exit__(self, *_: object) -> None:
        assert time.monotonic() - self._begun < self._seconds
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - self._peak < 1_000_000


ENTITIES = """<?xml version="1.0"?><!DOCTYPE playlist [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;">]>
<playlist><trackList><track><title>&d;</title></track></trackList></playlist>"""
OTHER_FILE = """<?xml version="1.0"?><!DOCTYPE playlist [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<playlist><trackList><track><title>&x;</title></track></trackList></playlist>"""
PARAMETER = (
    """<?xml version="1.0"?><!DOCTYPE playlist SYSTEM "http://127.0.0.1:9/x.dtd"><playlist><trackList/></playlist>"""
)


@pytest.mark.parametrize("text", [ENTITIES, OTHER_FILE, PARAMETER])
def test_entities_of_xml_are_refused(text: str) -> None:
    with quick(), pytest.raises(SourceError):
        read_list("a.xspf", text.encode())


def test_nested_xml_is_told() -> None:
    deep = "<a>" * 200_000 + "</a>" * 200_000
    with quick(30), contextlib.suppress(SourceError):
        read_list("a.xspf", f"<playlist>{deep}</playlist>".encode())


@pytest.mark.parametrize("columns", [1_001, 1_000_000])
def test_a_table_of_a_million_columns_is_refused(columns: int) -> None:
    head = ",".join(f"c{number}" for number in range(columns))
    with quick(), pytest.raises(SourceError, match="columns"):
        read_list("a.csv", f"title,{head}\n1,2\n".encode())


@pytest.mark.parametrize("columns", [1_001, 400_000])
def test_other_tables_of_many_columns_are_refused(tmp_path: Path, columns: int) -> None:
    head = "source,reference,genre,path," + ",".join(f"c{number}" for number in range(columns))
    text = f"{head}\n{',' * columns}\n"
    (tmp_path / "a.csv").write_text(text)
    with quick(), pytest.raises(LibraryError, match="columns"):
        read_csv(tmp_path / "a.csv", tmp_path)
    with quick(), pytest.raises(LibraryError, match="columns"):
        parse("mapping.csv", text.encode())


def test_a_cell_of_megabytes_is_told() -> None:
    with quick(), pytest.raises(GenrescopeError):
        read_list("a.csv", b'title,artist\n"' + b"x" * 5_000_000 + b'",b\n')


BILLION = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        BILLION,
        "a: &a\n  <<: *a\n",
        "[" * 100_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "!!python/object/apply:os.system ['touch /tmp/owned']",
        "genres: !!python/name:os.system x",
        "? " * 50_000,
        "genres: {techno: {aliases: [" + "a, " * 400_000 + "a]}}",
        "genres: {a: {parent: " + "9" * 1_000_000 + "}}",
        "playlists: [{source: a, reference: b, genres: {x: .inf}}]",
        "playlists: [{source: a, reference: b, genres: {x: .nan}}]",
        "playlists: [{source: a, reference: b, genres: {x: 1e400}}]",
        "0x" + "f" * 1_000_000,
        "1" + ":59" * 200_000,
    ],
)
def test_yaml_that_is_made_for_it_is_refused(text: str) -> None:
    with quick(20):
        try:
            parse("a.yaml", text.encode())
        except LibraryError as error:
            assert len(str(error)) < 1000
    assert not Path("/tmp/owned").exists()


# -- sounds that are made for it ---------------------------------------------------------------------------------------


@given(st.binary(max_size=3000), st.sampled_from(["", "RIFF", "ID3", "OggS", "fLaC", "FORM", "\x1aE\xdf\xa3", "ftyp"]))
def test_any_bytes_are_no_crash(data: bytes, magic: str) -> None:
    head = magic.encode("latin-1")
    data_of_file = b"\0\0\0 ftypM4A " + data if magic == "ftyp" else head + data
    with quick():
        try:
            codes_of(io.BytesIO(data_of_file), RECIPE, filters=FILTERS)
        except GenrescopeError as error:
            assert str(error)


@given(
    st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF),
)  # fmt: skip
def test_any_head_of_a_wav_is_no_crash(form: int, channels: int, rate: int, block: int, bits: int, size: int) -> None:
    head = struct.pack("<HHIIHH", form, channels, rate, rate, block, bits)
    data = b"RIFF" + struct.pack("<I", size) + b"WAVEfmt " + struct.pack("<I", 16) + head
    data += b"data" + struct.pack("<I", size) + np.random.default_rng(0).bytes(20_000)
    with quick():
        for read in (lambda: codes_of(io.BytesIO(data), RECIPE, filters=FILTERS), lambda: probe(io.BytesIO(data))):
            try:
                read()
            except GenrescopeError as error:
                assert str(error)


NAMES = [
    "a\nb.wav", "a\tb.wav", "\u202egnp.wav", "\u2066x\u2069.wav", "CON.wav", "nul.wav", "aux .wav", "..wav..wav",
    "...wav.wav", " .wav.wav", "'; DROP TABLE tracks; --.wav", "<script>alert(1)</script>.wav", "$(touch x).wav",
    "`touch x`.wav", "%2e%2e%2f.wav", "..\\..\\x.wav", "=1+1.wav", "a" * 240 + ".wav", "\U0001f3b5" * 50 + ".wav", "-rf.wav",
    "\ufeff.wav", "a\u0000b".replace("\0", "") + "\x01.wav", "C:evil.wav", "a|b?.wav", "\u0130\u0131\u00df.wav",
]  # fmt: skip


def test_odd_names_of_files_folders_and_tags_come_in(library: Library, settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "songs"
    for number, name in enumerate(NAMES):
        genre = NAMES[-number - 1][:60].replace("/", "")
        odd = name + "\u202e\0" + "x" * 300
        tags = {"artist": odd, "title": odd, "album": odd, "genre": odd} if number % 2 else {}
        sound = write_sound(
            tmp_path / "sound.wav", tone(200 + number, 0.2, sample_rate=8000), sample_rate=8000, tags=tags
        )
        target = folder / genre / name
        target.parent.mkdir(parents=True, exist_ok=True)
        sound.rename(target)
    n = len(
        [
            path
            for path in folder.rglob("*.wav")
            if path.is_file() and not any(part[0] == "." for part in path.relative_to(folder).parts)
        ]
    )
    told = import_folder(library, settings, folder, genre_from="folder", copy=True)
    assert told["imported"] == n > 15 and told["failed"] == []
    for track in library.tracks(""):
        assert len(track.title) <= 500 and "\0" not in track.title + track.artist
    copies = [path for path in settings.audio.rglob("*") if path.is_file()]
    assert len(copies) == n and all(path.stem.isalnum() and len(path.stem) == 64 for path in copies)
    assert {path.name for path in settings.data.iterdir()} <= {
        "library.db",
        "library.db-wal",
        "library.db-shm",
        "audio",
    }
    again = import_folder(library, settings, folder, genre_from="folder", copy=True)
    assert again["imported"] == 0 and again["already_known"] == n


@pytest.mark.slow
def test_a_hundred_bad_ones_among_many_stop_no_other(database: Database, settings: Settings, tmp_path: Path) -> None:
    """At each stage: the import tells of those that are no sound, the spectrograms of those that are silent, an answer of both."""
    from core.jobs import kinds
    from core.jobs.worker import open_queue, run_here

    n, bad = often(100, 1000), often(10, 100)
    folder = tmp_path / "songs" / "g"
    folder.mkdir(parents=True)
    for number in range(n):
        silent, no_sound = number % (2 * n // bad) == 0, number % (2 * n // bad) == n // bad
        data = pcm_wav(1, 8000, 2400 + number, level=0 if silent else 3000)
        (folder / f"{number}.wav").write_bytes(b"no sound " * 30 + str(number).encode() if no_sound else data)
    queue = open_queue(settings, database)
    taken = run_here(settings, database, kinds.submit_import(queue, tmp_path / "songs", "folder")).result
    assert taken is not None and taken["imported"] == n - bad // 2 and len(taken["failed"]) == bad // 2
    assert all("not a sound file" in one["reason"] for one in taken["failed"])
    made = run_here(settings, database, kinds.submit_preprocess(queue)).result
    assert made is not None and made["done"] == n - bad and len(made["failed"]) == bad // 2
    assert all("no sound in this file" in one["reason"] for one in made["failed"])
    paths = [folder / f"{number}.wav" for number in range(n)]
    decode = partial(apart.codes_of, limits=LIMITS, keep=True)
    answers = list(predict_each(paths, model.load(publish(tmp_path / "model")), decode=decode))
    for number, answer in enumerate(answers):
        assert isinstance(answer, AudioError if number % (n // bad) == 0 else Prediction), answer
