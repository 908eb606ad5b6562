"""Tags of real files of every format, written by mutagen or byte by byte, and read as their writers meant them."""

import signal
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import mutagen
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mutagen.aiff import AIFF
from mutagen.apev2 import APEv2
from mutagen.flac import FLAC
from mutagen.id3 import ID3, TALB, TCON, TIT2, TPE1, TPE2, TXXX
from mutagen.mp4 import MP4
from mutagen.oggopus import OggOpus
from mutagen.wave import WAVE

from core.audio import tags, waveform
from core.audio.tags import Tags
from core.text_encoding import guess
from tests.sounds import tone, write_sound

GENRES_AS_THE_STANDARD_SAYS = [
    ("17", ["Rock"]),
    ("(17)", ["Rock"]),
    ("(17)Rock", ["Rock"]),
    ("(4)Eurodisco", ["Disco", "Eurodisco"]),
    ("(51)(39)", ["Techno-Industrial", "Noise"]),
    ("(55)((I think)", ["Dream", "(I think)"]),
    ("((text", ["(text"]),
    ("(RX)", ["Remix"]),
    ("(CR)", ["Cover"]),
    ("(RX)(17)", ["Remix", "Rock"]),
    ("80s", ["80s"]),
    ("90's Pop", ["90's Pop"]),
    ("2 Step", ["2 Step"]),
    ('12" Disco', ['12" Disco']),
    ("33 RPM Jazz", ["33 RPM Jazz"]),
    ("(80s)", ["(80s)"]),
    ("1984", ["1984"]),
    ("8-bit", ["8-bit"]),
    ("4/4", ["4/4"]),
    ("60s & 70s", ["60s & 70s"]),
    ("3 Chord Punk", ["3 Chord Punk"]),
    ("７", ["７"]),
]


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    """A short sound without tags, by the ending of its name."""
    made: dict[str, bytes] = {}

    def bare(suffix: str) -> bytes:
        if suffix not in made:
            path = write_sound(tmp_path_factory.mktemp("bare") / f"a{suffix}", tone(440, 0.2))
            if suffix == ".mp3":
                ID3(path).delete(path)
            made[suffix] = path.read_bytes()
        return made[suffix]

    return bare


@pytest.fixture
def file(tmp_path: Path, bare: Callable[[str], bytes]) -> Callable[[str], Path]:
    def file(suffix: str) -> Path:
        path = tmp_path / f"song{suffix}"
        path.write_bytes(bare(suffix))
        return path

    return file


def read(path: Path) -> Tags:
    """As an import of a folder with this file only reads it."""
    found = tags.read(path, waveform.probe(path))
    return found.decided(guess(found.undecided)) if found.undecided else found


def id3(path: Path, *frames: Any, version: int = 4) -> Path:
    tag = ID3()
    for frame in frames:
        tag.add(frame)
    tag.save(path, v2_version=version, v23_sep=None)
    return path


def id3v1(title: bytes = b"", artist: bytes = b"", album: bytes = b"", genre: int = 255) -> bytes:
    fields = [title.ljust(30, b"\0")[:30], artist.ljust(30, b"\0")[:30], album.ljust(30, b"\0")[:30]]
    return b"TAG" + b"".join(fields) + b"1999" + bytes(30) + bytes([genre])


# -- genres of ID3 -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize(("said", "genres"), GENRES_AS_THE_STANDARD_SAYS)
def test_only_what_the_standard_numbers_is_numbered(
    file: Callable[[str], Path], said: str, genres: list[str], version: int
) -> None:
    assert read(id3(file(".mp3"), TCON(encoding=1, text=[said]), version=version)).genres == tuple(genres)


def test_a_number_without_a_genre_is_none(file: Callable[[str], Path]) -> None:
    for said in ("(255)", "255", "(230)"):
        assert set(read(id3(file(".mp3"), TCON(encoding=0, text=[said]))).genres) <= {"Unknown"}


def test_id3_of_version_2_2(file: Callable[[str], Path]) -> None:
    path = file(".mp3")
    frames = b"".join(
        name + len(text).to_bytes(3, "big") + text
        for name, text in [(b"TT2", b"\0Old"), (b"TP1", b"\0Ann"), (b"TAL", b"\0Disc"), (b"TCO", b"\0(17)Indie")]
    )
    path.write_bytes(b"ID3\x02\0\0" + bytes([0, 0, len(frames) >> 7, len(frames) & 127]) + frames + path.read_bytes())
    assert read(path) == Tags("Old", ("Ann",), "Disc", ("Rock", "Indie"))


# -- several values, in every format -----------------------------------------------------------------------------------


def test_values_of_id3_are_separated_by_nul_or_semicolon_but_not_by_slash_or_ampersand(
    file: Callable[[str], Path],
) -> None:
    for version in (3, 4):
        path = id3(
            file(".mp3"),
            TIT2(encoding=3, text=["One; Two"]),
            TPE1(encoding=3, text=["Ann", "AC/DC Tribute", "Salt & Smoke"]),
            TALB(encoding=3, text=["Album"]),
            TCON(encoding=3, text=["Rock; Shoegaze", "R&B/Soul", "80s", "Rock"]),
            version=version,
        )
        artists = ("Ann", "AC/DC Tribute", "Salt & Smoke")
        assert read(path) == Tags("One; Two", artists, "Album", ("Rock", "Shoegaze", "R&B/Soul", "80s"))


@pytest.mark.parametrize("suffix", [".flac", ".opus", ".m4a", ".mp3", ".aiff", ".wav"])
def test_several_artists_and_genres_in_every_format(file: Callable[[str], Path], suffix: str) -> None:
    path = file(suffix)
    artists, genres = ["Ann One", "Bo & Co"], ["2 Step", "Rock; Shoegaze"]
    if suffix in (".mp3", ".aiff", ".wav"):
        song: Any = {".mp3": mutagen.File, ".aiff": AIFF, ".wav": WAVE}[suffix](path)
        song.add_tags()
        for frame in (TIT2(3, ["T"]), TPE1(3, artists), TALB(3, ["A"]), TCON(3, genres)):
            song.tags.add(frame)
    else:
        song = {".flac": FLAC, ".opus": OggOpus, ".m4a": MP4}[suffix](path)
        names = (
            ("\xa9nam", "\xa9ART", "\xa9alb", "\xa9gen") if suffix == ".m4a" else ("title", "artist", "album", "genre")
        )
        for name, values in zip(names, (["T"], artists, ["A"], genres), strict=True):
            song[name] = values
    song.save()
    assert read(path) == Tags("T", tuple(artists), "A", ("2 Step", "Rock", "Shoegaze"))


def test_an_mp3_with_apev2_only_keeps_artist_and_genre(file: Callable[[str], Path]) -> None:
    path = file(".mp3")
    ape = APEv2()
    ape["Title"], ape["Artist"], ape["Genre"], ape["Album"] = "T", ["Ann", "Bo"], ["Jazz", "80s"], "A"
    ape.save(path)
    assert read(path) == Tags("T", ("Ann", "Bo"), "A", ("Jazz", "80s"))
    with path.open("ab") as end:
        end.write(id3v1(b"Cut off", b"Cut", b"Cut", 3))
    assert read(path) == Tags("T", ("Ann", "Bo"), "A", ("Jazz", "80s"))
    id3(path, TIT2(encoding=3, text=["Newer"]))
    assert read(path).title == "Newer"


def test_an_mp3_with_id3v1_only(file: Callable[[str], Path]) -> None:
    path = file(".mp3")
    path.write_bytes(path.read_bytes() + id3v1(b"T", b"Ann", b"A", 17))
    assert read(path) == Tags("T", ("Ann",), "A", ("Rock",))


@pytest.mark.parametrize("suffix", [".webm", ".wav", ".ogg"])
def test_what_ffmpeg_writes_is_read(tmp_path: Path, suffix: str) -> None:
    said = {"title": "T", "artist": "Ann; Bo", "album": "A", "genre": "80s"}
    path = write_sound(tmp_path / f"a{suffix}", tone(440, 0.2), tags=said)
    assert read(path) == Tags("T", ("Ann", "Bo"), "A", ("80s",))


def test_artists_listed_singly_win_over_how_they_are_shown(file: Callable[[str], Path]) -> None:
    shown = TPE1(encoding=3, text=["Ann feat. Bo"])
    path = id3(file(".mp3"), shown, TXXX(encoding=3, desc="ARTISTS", text=["Ann", "Bo"]))
    assert read(path).artists == ("Ann", "Bo")
    assert read(id3(file(".mp3"), TPE2(encoding=3, text=["Ann"]))).artists == ("Ann",)
    song = FLAC(file(".flac"))
    song["artist"], song["artists"] = "Ann feat. Bo", ["Ann", "Bo"]
    song.save()
    assert read(Path(song.filename)).artists == ("Ann", "Bo")


# -- encodings ---------------------------------------------------------------------------------------------------------

FOREIGN = [
    ("cp1251", "Последний дождь", "Ночной Трамвай"),
    ("cp932", "雨の日の歌", "青い電車"),
    ("gb18030", "雨中的城市", "红色风筝"),
    ("cp949", "비 오는 날", "푸른 기차"),
    ("cp1252", "Über den Dächern", "Motörkopf"),
    ("cp1253", "Το τραγούδι της βροχής", "Γαλάζιο Φως"),
]


@pytest.mark.parametrize(("encoding", "title", "artist"), FOREIGN)
@pytest.mark.parametrize("where", ["id3v2.3", "id3v2.4", "id3v1", "flac", "wav"])
def test_text_in_an_undeclared_encoding_is_decoded_and_said_to_be_a_guess(
    file: Callable[[str], Path], tmp_path: Path, where: str, encoding: str, title: str, artist: str
) -> None:
    said = [title.encode(encoding), artist.encode(encoding)]
    if where.startswith("id3v2"):
        latin = [text.decode("latin-1") for text in said]
        path = id3(file(".mp3"), TIT2(0, [latin[0]]), TPE1(0, [latin[1]]), version=int(where[-1]))
    elif where == "id3v1":
        path = file(".mp3")
        path.write_bytes(path.read_bytes() + id3v1(*said))
    else:
        stand_ins = ["t" * len(said[0]), "a" * len(said[1])]
        names = dict(zip(("title", "artist"), stand_ins, strict=True))
        path = write_sound(tmp_path / f"a.{where}", tone(440, 0.2), tags=names)
        data = path.read_bytes()
        for stand_in, text in zip(stand_ins, said, strict=True):
            assert data.count(stand_in.encode()) == 1
            data = data.replace(stand_in.encode(), text)
        path.write_bytes(data)
    found = read(path)
    assert (found.title, found.artists, found.encoding) == (title, (artist,), encoding)


def test_declared_text_is_not_guessed(file: Callable[[str], Path]) -> None:
    for encoding in (1, 3):
        found = read(id3(file(".mp3"), TIT2(encoding, ["Дождь"]), TPE1(encoding, ["青い電車"])))
        assert (found.title, found.artists, found.encoding) == ("Дождь", ("青い電車",), "")
    utf8_as_latin = "Дождь".encode().decode("latin-1")
    found = read(id3(file(".mp3"), TIT2(0, [utf8_as_latin])))
    assert (found.title, found.encoding) == ("Дождь", "")


# -- damage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        b"ID3\x04\0\0\0\0\x07\x76" + b"\xff\xfe\x00garbage" * 100,
        b"ID3\x03\0\0\x7f\x7f\x7f\x7f" + b"TIT2",
        b"ID3\x04\0\x40\0\0\x07\x76" + b"\xff" * 1000,
    ],
    ids=["no frame", "longer than the file", "extended header"],
)
def test_damaged_tags_are_a_problem_and_never_an_error(file: Callable[[str], Path], head: bytes) -> None:
    path = file(".mp3")
    path.write_bytes(head + path.read_bytes())
    found = tags.read(path, waveform.Probe("mp3", "mp3", 48_000, 1, None))
    assert found == Tags(problem=tags.UNREADABLE)


def test_a_damaged_tag_leaves_the_sound_ones(file: Callable[[str], Path]) -> None:
    path = file(".mp3")
    path.write_bytes(b"ID3\x04\0\x40\0\0\x07\x76" + b"\xff" * 1000 + path.read_bytes() + id3v1(b"T", b"Ann"))
    found = read(path)
    assert (found.title, found.artists, found.problem) == ("T", ("Ann",), tags.UNREADABLE)


@pytest.mark.parametrize("container", ["mp3", "mov", "ogg", "flac", "wav", "aiff", "matroska", "aac"])
@given(
    data=st.binary(max_size=200),
    head=st.sampled_from([b"ID3\x04\0\0", b"OggS", b"fLaC", b"RIFF", b"FORM", b"APETAGEX", b""]),
)
@example(data=b"\0\0\0\x18ftypM4A \0\0\0\0" + b"\0\0\0\x08moov" * 3, head=b"")
def test_no_bytes_whatever_make_an_error(container: str, data: bytes, head: bytes) -> None:
    found = tags.read(BytesIO(head + data), waveform.Probe(container, "any", 48_000, 1, None, {"title": "T"}))
    assert found.title
    assert found.problem in ("", tags.UNREADABLE)


@pytest.mark.parametrize("suffix", [".mp3", ".m4a", ".flac", ".opus", ".wav", ".aiff"])
def test_a_file_with_any_byte_changed_is_read_or_a_problem(bare: Callable[[str], bytes], suffix: str) -> None:
    data = bare(suffix)
    container = waveform.probe(BytesIO(data)).container
    for place in range(0, min(len(data), 1500), 23):
        damaged = data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
        tags.read(BytesIO(damaged), waveform.Probe(container, "any", 48_000, 1, None))


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timer that interrupts")
def test_tags_made_to_keep_a_machine_busy_are_given_up(
    file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tags, "READ_S", 0.5)  # a busy machine may well rest for a tenth of a second
    path = file(".mp3")
    frames = b"TIT2\0\0\0\2\0\0\3a" * 200_000
    size = bytes(len(frames) >> shift & 127 for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\x04\0\0" + size + frames + path.read_bytes() + id3v1(b"T", b"Ann"))
    found = tags.read(path, waveform.Probe("mp3", "mp3", 48_000, 1, None))
    assert found == Tags("T", ("Ann",), problem=tags.UNREADABLE)


def test_tags_are_bounded(file: Callable[[str], Path]) -> None:
    many = [f"Artist {number}" for number in range(500)]
    found = read(id3(file(".mp3"), TIT2(3, ["x" * 100_000]), TPE1(3, many), TCON(3, many)))
    assert len(found.title) <= tags.MAX_TEXT and len(found.artists) == len(found.genres) == tags.MAX_VALUES
