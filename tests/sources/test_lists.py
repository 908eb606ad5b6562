import csv
import io
import random
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core import text_encoding
from core.errors import SourceError
from core.music import LISTS, ListedTrack
from core.names import clean
from core.sources import lists, tables
from core.sources.lists import (
    FileSource,
    guess_columns,
    guessed_encoding,
    looks_like,
    preview_table,
    read_list,
    read_lists,
    read_text,
)

NEW = "Track URI,Track Name,Album Name,Artist Name(s),Release Date,Duration (ms),Popularity\n"
OLD = "Spotify ID,Artist IDs,Track Name,Album Name,Artist Name(s),Release Date,Duration (ms),Popularity\n"
ID = "4C0NorBxrMwAxAiy4fsomO"


def track(text: str, name: str = "x.csv") -> ListedTrack:
    (found,) = read_list(name, text.encode()).tracks
    return found


# -- real playlists of Exportify ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(shared_data: Path) -> Path:
    return shared_data / "playlists"


def index(exported: Path) -> list[dict[str, str]]:
    with (exported / "index.csv").open(encoding="utf-8-sig", newline="") as rows:
        return list(csv.DictReader(rows))


def test_real_exports_agree_with_their_index(exported: Path) -> None:
    total, ids = 0, set()
    for row in index(exported):
        playlist = read_list(row["exportify_file_name"], (exported / row["file"]).read_bytes())
        assert len(playlist.tracks) == int(row["n_tracks"]), row["file"]
        assert (playlist.source, playlist.title, playlist.skipped) == ("csv", row["title"], {}), row["file"]
        assert all(one.title and one.duration_s and len(one.source_id) == 22 for one in playlist.tracks)
        total += len(playlist.tracks)
        ids |= {one.source_id for one in playlist.tracks}
    assert (total, len(ids)) == (9050, 8098)


def test_real_exports_with_the_older_header_tell_the_same_artists(exported: Path) -> None:
    older = sorted((exported / "older_header").glob("*.csv"))
    assert len(older) == 3
    for path in older:
        new = read_list(path.name, (exported / path.name).read_bytes()).tracks
        old = read_list(path.name, path.read_bytes()).tracks
        assert [one.artists for one in old] == [one.artists for one in new], path.name
        assert [one.duration_s for one in old] == [one.duration_s for one in new]
        assert [one.url for one in old] == [one.url for one in new]
        # Older ones leave out double quotes in names.
        assert [one.title for one in old] == [clean(one.title.replace('"', "")) for one in new]


def test_real_traps_are_text(exported: Path) -> None:
    everything = [
        one for row in index(exported) for one in read_list(row["file"], (exported / row["file"]).read_bytes()).tracks
    ]
    assert any(one.artists[:1] == ("+44",) for one in everything)
    assert any(one.title.startswith("@elio.irl - ") for one in everything)
    assert sum(not one.artists for one in everything) == 2, "shoegaze_classics lists two songs by nobody"
    assert not any(";" in artist for one in everything for artist in one.artists)
    assert all(name == clean(name) for one in everything for name in (one.title, one.album, *one.artists))
    twice = read_list("x.csv", (exported / "cyberpunk_synthwave.csv").read_bytes()).tracks
    assert len(twice) == len({one.source_id for one in twice}) + 1, "rows that stand twice are kept"


# -- tables ------------------------------------------------------------------------------------------------------------


def test_a_row_of_exportify() -> None:
    row = f'spotify:track:{ID},"A ""B"" \n C","Al,bum","One;Two, Three; ",2020-01-01,123456,5\n'
    assert track(NEW + row) == ListedTrack(
        'A "B" C', ("One", "Two, Three"), "Al,bum", 123.456, None, ID, f"https://open.spotify.com/track/{ID}"
    )


@pytest.mark.parametrize(
    ("names", "ids", "artists"),
    [
        ("Earth, Wind & Fire", "1", ("Earth, Wind & Fire",)),
        ("A,B", "1,2", ("A", "B")),
        ("A, B", "1,2", ("A", "B")),
        ("Tyler, The Creator,Kali Uchis", "1,2", ("Tyler, The Creator", "Kali Uchis")),
        ("A,B,C", "1,2", ("A", "B", "C")),
        ("A", "1,2", ("A",)),
        ("A,B", "", ("A,B",)),
        ("", "1", ()),
        (r"Earth\, Wind & Fire, B", "spotify:artist:1,spotify:artist:2", ("Earth, Wind & Fire", "B")),
    ],
)
def test_commas_in_the_older_header_are_told_by_the_number_of_ids(
    names: str, ids: str, artists: tuple[str, ...]
) -> None:
    assert track(f'{OLD}{ID},"{ids}",Title,Album,"{names}",,1000,\n').artists == artists


def test_rows_without_titles_and_podcasts_are_counted_and_empty_ones_are_nothing() -> None:
    rows = f'spotify:track:{ID},,A,B,,1,\nspotify:episode:{ID},Talk,A,B,,1,\n,,,,,,\n\nx,T,A,,,1\nx,"\u202e",A,B,,1,\n'
    playlist = read_list("x.csv", (NEW + rows).encode())
    assert [(one.title, one.artists) for one in playlist.tracks] == [("T", ())]
    assert playlist.skipped == {"no title": 2, "podcast": 1}
    assert playlist.n_listed == 1


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (NEW.strip().split(","), {"title": "Track Name", "artist": "Artist Name(s)", "album": "Album Name", "duration": "Duration (ms)", "id": "Track URI"}),
        (OLD.strip().split(","), {"title": "Track Name", "artist": "Artist Name(s)", "album": "Album Name", "duration": "Duration (ms)", "id": "Spotify ID"}),
        (["Track URI", "Track Name", "Artist URI(s)", "Artist Name(s)", "Album URI", "Album Name", "Album Artist Name(s)", "Track Number", "Track Duration (ms)", "Track Preview URL", "ISRC"],
         {"title": "Track Name", "artist": "Artist Name(s)", "album": "Album Name", "duration": "Track Duration (ms)", "id": "Track URI", "isrc": "ISRC"}),
        (["Titel", "Künstler", "Länge"], {"title": "Titel", "artist": "Künstler", "duration": "Länge"}),
        (["TITRE", "Interprète", "Durée", "Lien"], {"title": "TITRE", "artist": "Interprète", "duration": "Durée", "url": "Lien"}),
        (["Название", "Исполнитель", "Альбом"], {"title": "Название", "artist": "Исполнитель", "album": "Альбом"}),
        (["曲名", "アーティスト", "アルバム"], {"title": "曲名", "artist": "アーティスト", "album": "アルバム"}),
        (["제목", "가수"], {"title": "제목", "artist": "가수"}),
        (["song_title", "performer", "length"], {"title": "song_title", "artist": "performer", "duration": "length"}),
        (["Nr", "Song (original title)", "Lead artist"], {"title": "Song (original title)", "artist": "Lead artist"}),
        (["Title", "title"], {"title": "Title"}),
        (["Track number", "Album image", "Artist ID", "Song URL"], {"url": "Song URL"}),
        (["x", "", "y"], {}),
    ],
)  # fmt: skip
def test_columns_are_guessed(header: list[str], expected: dict[str, str]) -> None:
    assert guess_columns(tuple(header)) == expected


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters_and_encodings(delimiter: str, encoding: str, end: str) -> None:
    rows = [("Title, or so", "Künstler"), ('Käse; "Brot"\tund', "Ænima – “Größe”")]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(
        [("Title", "Artist"), *rows]
    )
    playlist = read_list("x.csv", text.getvalue().encode(encoding))
    assert [(one.title, *one.artists) for one in playlist.tracks] == [
        ("Title, or so", "Künstler"),
        ('Käse; "Brot" und', "Ænima – “Größe”"),
    ]


def test_one_damaged_byte_does_not_spoil_the_rest() -> None:
    data = "Title,Artist\nKäse,Möhre\nÖl,Übel\n".encode() + b"bro\xffken,x\n"
    assert [one.title for one in read_list("x.csv", data).tracks] == ["Käse", "Öl", "bro\ufffdken"]


def test_a_spreadsheet_may_name_its_delimiter() -> None:
    assert track("sep=;\nTitle;Artist\n1,5;B\n") == ListedTrack("1,5", ("B",))


@pytest.mark.parametrize(
    ("column", "cells", "lengths"),
    [
        ("Duration (ms)", ["1500", "x", ""], [1.5, None, None]),
        ("duration_s", ["200000", "3.5"], [200000.0, 3.5]),
        ("Length", ["3:45", "1:00:01"], [225.0, 3601.0]),
        ("Length", ["200000", "240000"], [200.0, 240.0]),
        ("Length", ["200", "240,5"], [200.0, 240.5]),
        ("Time", ["0", "-3", "nan", "inf", "1e999"], [None] * 5),
        (
            "Duration (ms)",
            ["225,000", "99.500", "1,225,000", "225 000", "225'000", "225\u00a0000"],
            [225, 99.5, 1225, 225, 225, 225],
        ),
        ("Length", ["225,000", "199,500"], [225.0, 199.5]),
        ("Length", ["225000.0", "199000.0"], [225.0, 199.0]),
        ("Length", ["03:45:00", "12:05:00", "00:58:00"], [225.0, 725.0, 58.0]),
        ("Length", ["03:45:00", "", "27:30:00"], [225.0, None, 1650.0]),
        ("Length", ["00:03:45", "01:02:00"], [225.0, 3720.0]),
        ("Length", ["00:03:00", "00:04:00"], [180.0, 240.0]),
        ("Length (hh:mm:ss)", ["03:45:00"], [13500.0]),
        ("Length (mm:ss)", ["03:45:12"], [225.0]),
        ("Length", ["3:45:00 AM", "12:05:00 PM", "1:10:00 PM", "12:30:00 AM"], [225.0, 725.0, 790.0, 30.0]),
        (
            "Length",
            ["3m 45s", "3 min 45 sec", "3m45", "225s", "1h 2m 3s", "225,000 ms", "3′45″"],
            [225, 225, 225, 225, 3723, 225, 225],
        ),
        ("Length", ["PT3M45S", "PT225S", "PT1H2M3.5S", "P0DT3M45S", "PT", "P"], [225, 225, 3723.5, 225, None, None]),
        ("Length (min)", ["3.75", "3:45"], [225.0, 225.0]),
    ],
)
def test_lengths_in_any_unit(column: str, cells: list[str], lengths: list[float | None]) -> None:
    rows = "".join(f'T,"{cell}"\n' for cell in cells)
    assert [one.duration_s for one in read_list("x.csv", f"Title,{column}\n{rows}".encode()).tracks] == lengths


@pytest.mark.parametrize(
    ("said", "isrc"),
    [("gb-um7-10-29604", "GBUM71029604"), (" GBUM71029604 ", "GBUM71029604"), ("GBUM7102960", None), ("1BUM71029604", None), ("", None)],
)  # fmt: skip
def test_isrcs(said: str, isrc: str | None) -> None:
    assert track(f"Title,ISRC\nT,{said}\n").isrc == isrc


@pytest.mark.parametrize(
    ("said", "url"),
    [
        ("https://example.org/a?b=c", "https://example.org/a?b=c"),
        ("javascript:alert(1)", ""),
        ("file:///etc/passwd", ""),
        ("ftp://example.org/x", ""),
        ("https://", ""),
        ("https://[", ""),
        ("https://a b", ""),
        ("http://x/" + "a" * 3000, ""),
    ],
)
def test_only_web_addresses_are_addresses(said: str, url: str) -> None:
    assert track(f"Title,Artist,Link\nT,A,{said}\n").url == url


def test_a_person_may_say_which_columns() -> None:
    data = b"a,b,c\nOne,Two,200\n"
    with pytest.raises(SourceError, match=r"No column.*a, b, c"):
        read_list("x.csv", data)
    playlist = read_list("x.csv", data, columns={"title": "b", "artist": "a", "duration": "c", "album": ""})
    assert playlist.tracks == (ListedTrack("Two", ("One",), duration_s=200.0),)
    assert read_list("x.txt", data, columns={"title": "b"}).tracks == (ListedTrack("Two", ()),)
    with pytest.raises(SourceError, match="no column “z”"):
        read_list("x.csv", data, columns={"title": "z"})
    with pytest.raises(SourceError, match="tempo"):
        read_list("x.csv", data, columns={"title": "a", "tempo": "b"})
    assert preview_table(data) == (("a", "b", "c"), (("One", "Two", "200"),))


def test_formulas_and_tags_stay_text() -> None:
    names = ["=1+1", "+44", "-2", "@x", '=HYPERLINK("http://x")', "<script>alert(1)</script>", "&amp;", "*a*"]
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("Title", "Artist"), *((name, name) for name in names)])
    assert [one.title for one in read_list("x.csv", text.getvalue().encode()).tracks] == names


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "empty"),
        (b"\n\n,,\n", "empty"),
        (b"\x00\x01\x02", "no text"),
        (("x," * 2000).encode() + b"\n", "columns"),
        (b'title\n"' + b"a" * 200_000, "damaged"),
    ],
)
def test_tables_that_are_none(data: bytes, told: str) -> None:
    with pytest.raises(SourceError, match=told):
        read_list("x.csv", data)
    with pytest.raises(SourceError):
        preview_table(data)


def test_limits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tables, "MAX_ROWS", 3)
    assert len(read_list("x.csv", b"title\n" + b"a\n" * 3).tracks) == 3
    with pytest.raises(SourceError, match="3 rows"):
        read_list("x.csv", b"title\n" + b"a\n" * 4)
    monkeypatch.setattr(lists, "MAX_TRACKS", 3)
    with pytest.raises(SourceError, match="3 tracks"):
        read_text("x", "a - b\n" * 4)
    with pytest.raises(SourceError, match="3 tracks"):
        read_list("x.m3u", b"a.mp3\n" * 4)
    monkeypatch.setattr(lists, "MAX_BYTES", 10)
    big = tmp_path / "big.csv"
    big.write_bytes(b"title\naaaaaaa\n")
    for read in (lambda: read_list("x.csv", b"title\naaaaaaa\n"), lambda: FileSource("csv").fetch(str(big))):
        with pytest.raises(SourceError, match="larger"):
            read()


# -- M3U ---------------------------------------------------------------------------------------------------------------

M3U = """#EXTM3U
#PLAYLIST:My <b>mix</b>
#EXTINF:225,One – Two (Live)
music/ignored.mp3
#EXTINF:-1 tvg-id="a,b" group="x",Just a title
https://example.org/a%20b.mp3?x=1
# a comment

#EXTINF:12
03 - Some_Artist - Some_Title.flac
C:\\Music\\07. Album Track.ogg
file:///home/me/50%20Cent%20-%20In%20da%20Club.mp3
#EXTART:Real Artist
#EXTALB:Real Album
#EXTINF:100,Real Title
x.mp3
#EXTINF:1,Lost - One
#EXTINF:2,Last - One
"""


def test_m3u() -> None:
    playlist = read_list("a_list.m3u8", M3U.encode())
    assert playlist.title == "My <b>mix</b>" and playlist.skipped == {"no address": 2}
    assert [(one.title, one.artists, one.duration_s) for one in playlist.tracks] == [
        ("Two (Live)", ("One",), 225.0),
        ("Just a title", (), None),
        ("Some Title", ("Some Artist",), None),
        ("Album Track", (), None),
        ("In da Club", ("50 Cent",), None),
        ("Real Title", ("Real Artist",), 100.0),
    ]
    assert [one.url for one in playlist.tracks if one.url] == ["https://example.org/a%20b.mp3?x=1"]
    assert playlist.tracks[-1].album == "Real Album"
    assert playlist.tracks[0].source_id == "music/ignored.mp3"


def test_a_plain_m3u_takes_its_title_from_the_file() -> None:
    playlist = read_list("/up/../Party_Mix.m3u", "Müsli - Käse.mp3\r\n".encode("cp1252"))
    assert playlist.title == "Party Mix"
    assert playlist.tracks == (ListedTrack("Käse", ("Müsli",), source_id="Müsli - Käse.mp3"),)


def test_the_plan_of_a_stream_is_refused() -> None:
    with pytest.raises(SourceError, match="HLS"):
        read_list("x.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:9.9,\nsegment0.ts\n")


# -- XSPF --------------------------------------------------------------------------------------------------------------

XSPF = """<?xml version="1.0" encoding="UTF-8"?>
<playlist version="1" xmlns="http://xspf.org/ns/0/">
  <title>Mine &amp; yours</title>
  <trackList>
    <!-- a comment -->
    <track>
      <location>https://example.org/1.mp3</location><identifier>urn:isrc:GBUM71029604</identifier>
      <title>&lt;One&gt;</title><creator>A; B</creator><album>Album</album><duration>225500</duration>
    </track>
    <track><location>file:///x/02%20-%20Some%20Artist%20-%20Some%20Title.mp3</location></track>
    <track><annotation>nothing</annotation></track>
  </trackList>
</playlist>"""


def test_xspf() -> None:
    playlist = read_list("x.xspf", XSPF.encode())
    assert playlist.title == "Mine & yours" and playlist.skipped == {"no title": 1}
    first, second = playlist.tracks
    assert first == ListedTrack(
        "<One>", ("A, B",), "Album", 225.5, "GBUM71029604", "urn:isrc:GBUM71029604", "https://example.org/1.mp3"
    )
    assert (second.title, second.artists, second.url) == ("Some Title", ("Some Artist",), "")


@pytest.mark.parametrize(
    "xml",
    [
        '<!DOCTYPE x [<!ENTITY a "b">]><playlist><title>&a;</title></playlist>',
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><playlist><title>&a;</title></playlist>',
        '<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><playlist/>',
        "<playlist>",
        "",
        '<?xml version="1.0" encoding="klingon"?><playlist/>',
        "<rss/>",
        "\x00",
    ],
)
def test_xspf_that_is_none(xml: str) -> None:
    with pytest.raises(SourceError):
        read_list("x.xspf", xml.encode())


# -- which of two names is the artist ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("Song A - Anna One", "/Music/Anna One/First/01 Song A.m4a"),
        ("Song A - Anna One", "C:\\Music\\Anna One\\First\\1-12 Song A.m4a"),
        ("Song A - Anna One", "Compilations/Best of/12 Song A.m4a"),
        ("Song A - Anna One", "file:///Music/Anna%20One/First/Song%20A.mp3"),
        ("Song A - Anna One", "/m/Anna One - Song A.mp3"),
        ("Anna One - Song A", "/Music/Anna One/First/01 Song A.m4a"),
        ("Anna One - Song A", "/Music/Anna One/Song A/01 Song A.m4a"),
        ("Song A - Anna One", "/Music/Anna One/Song A/01 Song A.m4a"),
        ("Anna One - Song A", "/m/x.mp3"),
    ],
)
def test_the_path_says_whether_an_m3u_names_the_title_first(text: str, path: str) -> None:
    (found,) = read_list("x.m3u", f"#EXTM3U\n#EXTINF:225,{text}\n{path}\n".encode()).tracks
    assert (found.title, found.artists, found.duration_s) == ("Song A", ("Anna One",), 225.0)


def test_entries_without_a_telling_path_follow_their_list() -> None:
    head = "#EXTM3U\n#EXTINF:1,{}\n/m/Anna/First/01 Song A.m4a\n#EXTINF:1,Hop - Live - Gus\nhttps://example.org/x\n"
    assert read_list("x.m3u", head.format("Song A - Anna").encode()).tracks[1].artists == ("Gus",)
    assert read_list("x.m3u", head.format("Anna - Song A").encode()).tracks[1].artists == ("Hop",)
    dashes = "#EXTM3U\n#EXTINF:1,Jump - Live - Emil\n/m/Emil/Second/02 Jump - Live.m4a\n"
    assert read_list("x.m3u", dashes.encode()).tracks[0].title == "Jump - Live"
    given = "#EXTM3U\n#EXTART:Emil\n#EXTINF:1,{}\nx.m4a\n"
    assert read_list("x.m3u", given.format("Jump - Live").encode()).tracks[0].title == "Jump - Live"
    assert read_list("x.m3u", given.format("Emil - Jump").encode()).tracks[0].title == "Jump"


@pytest.mark.parametrize(
    "entry",
    [
        "<location>file:///m/Anna%20One%20-%20Song%20A.mp3</location><title>Anna One - Song A.mp3</title>",
        "<location>file:///m/Anna%20One%20-%20Song%20A.mp3</location><title>Anna One - Song A</title>",
        "<location>file:///m/Anna%20One%20-%20Song%20A.mp3</location><title>Song A</title>",
        "<location>file:///m/Anna%20One/First/01%20Song%20A.mp3</location><title>Song A - Anna One</title>",
        "<location>file:///m/Anna%20One/First/01%20Song%20A.mp3</location><title>Song A</title><album>First</album>",
        "<location>file:///m/01%20-%20Anna%20One%20-%20Song%20A.mp3</location><title>01 - Anna One - Song A.mp3</title>",
        "<location>https://example.org/1</location><title>Anna One - Song A</title>",
        "<location>Anna%20One/First/01%20Song%20A.mp3</location><title>Song A - Anna One</title>",
        "<location>x.mp3</location><creator>Anna One</creator><title>Song A</title>",
    ],
)
def test_xspf_without_a_creator(entry: str) -> None:
    (found,) = read_list(
        "x.xspf", f"<playlist><trackList><track>{entry}</track></trackList></playlist>".encode()
    ).tracks
    assert (found.title, found.artists) == ("Song A", ("Anna One",))


# -- kinds, files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.csv", b"", "csv"),
        ("a.TSV", b"", "csv"),
        ("a.m3u", b"", "m3u"),
        ("a.csv", b"\xef\xbb\xbf#EXTM3U\n", "m3u"),
        ("a.xml", b"<?xml version='1.0'?>\n<x:playlist xmlns:x='y'>", "xspf"),
        ("a.txt", b"Title,Artist\na,b\n", "csv"),
        ("a.txt", b"Artist - Title\n", "text"),
        ("", b"\x00", "text"),
    ],
)
def test_kinds(name: str, data: bytes, kind: str) -> None:
    assert looks_like(name, data) == kind


def test_a_file_is_recognised_by_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    path = folder / "My_List ü.csv"
    path.write_text("Title\nA\n")
    (tmp_path / "folder.csv").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(folder)
    source = FileSource("csv")
    for text in (str(path), f' "{path}" ', "~/a folder/My_List ü.csv", "My_List ü.csv", path.as_uri(), f"{folder}/../a folder/{path.name}"):  # fmt: skip
        assert source.recognise(text) == str(path), text
    for text in (
        str(folder),
        str(tmp_path / "folder.csv"),
        str(folder / "other.csv"),
        "~nobody_here/x.csv",
        "a\0.csv",
        "x" * 5000 + ".csv",
        "x" * 300 + ".csv",
        f"file://other.example{path}",
        "file://[/x.csv",
        "",
    ):
        assert source.recognise(text) is None, text
    assert FileSource("m3u").recognise(str(path)) is None
    assert source.fetch(str(path)).title == "My List ü"


TABLE = 'Title, Artist\nSong A,Anna One\nBoogie, "Earth, Wind & Fire"\n'


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.txt", TABLE, "csv"),
        ("a.txt", TABLE.replace(", ", ",").replace("Earth,Wind", "Earth, Wind"), "csv"),
        ("a.txt", "Artist\tTitle\nAnna One\tSong A\n", "csv"),
        ("a.txt", "Made by hand\nArtist;Title\nAnna One;Song A\n", "csv"),
        ("a.txt", "00:00 Anna One - Song A\n", "text"),
        ("a.csv", "Anna One - Song A\nEmil - Jump\n", "text"),
        ("a.csv", "#EXTM3U\nA - B.mp3\n", "m3u"),
        ("a.m3u", "<playlist><trackList><track><title>A</title></track></trackList></playlist>", "xspf"),
        ("a.tsv", "title\nA\n", "csv"),
    ],
)
def test_a_list_is_read_alike_by_path_as_upload_and_pasted(tmp_path: Path, name: str, text: str, kind: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    by_source = {source.name: source.recognise(str(path)) for source in map(FileSource, LISTS)}
    assert {name for name, found in by_source.items() if found} == {kind}
    for reference in (str(path), path.as_uri()):
        by_path = FileSource(kind).fetch(reference)
        uploaded = read_list(name, text.encode())
        assert (by_path.tracks, by_path.skipped, by_path.source, by_path.title) == (
            uploaded.tracks, uploaded.skipped, uploaded.source, uploaded.title,
        )  # fmt: skip
    if name.endswith(".txt"):
        assert read_text("Mine", text).tracks == by_path.tracks
    assert by_path.tracks[0].title in ("Song A", "A", "B") and "Title" not in [one.title for one in by_path.tracks]


def test_a_list_that_was_read_as_lines_keeps_its_identity_when_it_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(TABLE)
    again = FileSource("text").fetch(str(path))
    assert (again.source, again.reference, again.tracks[0].artists) == ("text", str(path), ("Anna One",))


# -- headers, ragged rows, several playlists ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Anna One,Song A\nEmil,Jump\n",
        "Anna One,Song A,3:45\nEmil,Jump,4:00\n",
        "Song A,Artist A,225000\nSong B,Artist B,199000\n",
        "Name,Goo Goo Dolls\nIris,Goo Goo Dolls\n",
        f"spotify:track:{ID},Title,Artist\n",
        "Track 1;Anna\nTrack 2;Emil\n",
        "Song A,Anna One,PT3M45S\n",
    ],
)
def test_a_table_without_a_header_loses_no_row(text: str) -> None:
    with pytest.raises(SourceError, match="no header"):
        read_list("x.csv", text.encode())
    header, rows = preview_table(text.encode())
    assert header == tuple(f"Column {n}" for n in range(1, len(rows[0]) + 1)) and len(rows) == len(text.splitlines())
    playlist = read_list("x.csv", text.encode(), columns={"title": "Column 2", "artist": "Column 1"})
    assert [(*one.artists, one.title) for one in playlist.tracks] == [row[:2] for row in rows]


def test_a_person_may_say_whether_there_is_a_header() -> None:
    data = b"Bez,Wer\nJump,Emil\n"
    assert preview_table(data, has_header=True) == (("Bez", "Wer"), (("Jump", "Emil"),))
    assert preview_table(data, has_header=False) == (("Column 1", "Column 2"), (("Bez", "Wer"), ("Jump", "Emil")))
    assert len(read_list("x.csv", data, columns={"title": "Bez"}).tracks) == 1
    assert len(read_list("x.csv", data, columns={"title": "Column 1"}).tracks) == 2
    named = b"Title,Artist\nJump,Emil\n"
    assert len(read_list("x.csv", named, columns={"title": "Column 1"}).tracks) == 2


@pytest.mark.parametrize(
    ("before", "delimiter"),
    [
        ("My mix", ","),
        ("My mix\nof 2024", ";"),
        ("Exported 2024-01-01 12:30, by me", ","),
        ("\n\nA\tB\tC", "\t"),
        ("# x", "|"),
    ],
)
def test_lines_before_the_header_are_counted(before: str, delimiter: str) -> None:
    text = f"{before}\n" + "".join(f"{a}{delimiter}{b}\n" for a, b in (("Title", "Artist"), ("Song A", "Anna")))
    playlist = read_list("x.csv", text.encode())
    assert playlist.tracks == (ListedTrack("Song A", ("Anna",)),)
    assert playlist.skipped == {"before the header": len(before.strip().splitlines())}


def test_ragged_rows_are_counted_and_not_misread() -> None:
    rows = "Earth, Wind & Fire,September\nOnly\nAnna,Song A,,\nEmil,Jump\nA,B,C\n"
    playlist = read_list("x.csv", f"Artist,Title\n{rows}".encode())
    assert [(*one.artists, one.title) for one in playlist.tracks] == [("Anna", "Song A"), ("Emil", "Jump")]
    assert playlist.skipped == {"more cells than columns": 2, "no title": 1}
    assert read_list("x.csv", b"Title,Artist,Album\nA\nB,C\n").skipped == {"fewer cells than columns": 1}


SEVERAL = "Track name,Artist name,Playlist name\nA,B,Warm up\nC,D,Peak\nE,F,Warm up\nG,H,\n"  # as conversion services export it


def test_a_table_may_hold_several_playlists(tmp_path: Path) -> None:
    path = tmp_path / "my lists.csv"
    path.write_text(SEVERAL)
    found = read_lists(path.name, SEVERAL.encode())
    assert [(one.title, one.reference, [t.title for t in one.tracks]) for one in found] == [
        ("Warm up", "my lists.csv#Warm up", ["A", "E"]),
        ("Peak", "my lists.csv#Peak", ["C"]),
        ("my lists", "my lists.csv", ["G"]),
    ]
    assert len(read_list(path.name, SEVERAL.encode()).tracks) == 4
    source = FileSource("csv")
    references = source.playlists_in(str(path))
    assert references == [f"{path}#Warm up", f"{path}#Peak", str(path)]
    for reference in references[:2]:
        assert source.recognise(reference) == reference
        part = source.fetch(reference)
        assert part.reference == reference and f"#{part.title}" in reference
    with pytest.raises(SourceError, match="no playlist “Gone” any more"):
        source.fetch(f"{path}#Gone")
    with pytest.raises(SourceError, match="still there"):
        source.fetch(f"{tmp_path}/other.csv#Peak")


def test_one_playlist_name_is_the_title_and_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    one = b"Playlist,Title,Artist\nOne,A,B\nOne,C,D\n"
    assert [(part.title, part.reference) for part in read_lists("x.csv", one)] == [("One", "x.csv")]
    assert read_list("x.csv", one).title == "One"
    monkeypatch.setattr(tables, "MAX_PLAYLISTS", 2)
    with pytest.raises(SourceError, match="more than 2 playlists"):
        read_lists("x.csv", SEVERAL.encode())


# -- whatever comes ----------------------------------------------------------------------------------------------------

NAMES = st.text(st.characters(codec="utf-8"), max_size=40)
START = st.sampled_from(
    [b"", b"#EXTM3U\n", b"<playlist>", NEW.encode(), b"title;artist\n", b"\xff\xfe", b"\xef\xbb\xbf"]
)


@given(
    name=st.sampled_from(["a.csv", "a.m3u", "a.xspf", "a.txt", "a", ""]) | NAMES,
    start=START,
    data=st.binary(max_size=500),
)
@example(name="a.xspf", start=b"", data=b"<playlist>" * 50_000)
@example(name="a.csv", start=b"", data=b'"')
@example(name="a.csv", start=b"sep=\n", data=b"\n\ntitle\na")
@example(name="a.csv", start=b'sep="\n', data=b"title\na")
@example(name="a.m3u", start=b"#EXTINF:1 " + b"a=" * 2000, data=b"\nx")
@example(name="a.txt", start=b"a" + b" " * 20_000 + b"b", data=b"")
def test_any_bytes_are_a_playlist_or_told(name: str, start: bytes, data: bytes) -> None:
    try:
        playlist = read_list(name, start + data)
    except SourceError as error:
        assert str(error)
        return
    assert playlist.title and playlist.reference
    for one in playlist.tracks:
        assert one.title and one.title == clean(one.title)
        assert all(artist and artist == clean(artist) and ";" not in artist for artist in one.artists)
        assert one.duration_s is None or 0 < one.duration_s < 1e6
        assert not one.url or one.url.startswith(("http://", "https://"))


@given(text=st.text(max_size=300))
def test_any_text_is_a_playlist(text: str) -> None:
    playlist = read_text(text, text)
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(playlist.tracks) + sum(playlist.skipped.values()) == len(lines)


@given(
    rows=st.lists(st.tuples(NAMES, st.lists(NAMES, max_size=3), NAMES, st.integers(1, 10**7)), max_size=8),
    delimiter=st.sampled_from(",;\t"),
    bom=st.booleans(),
)
def test_what_is_written_as_exportify_does_is_read_back(
    rows: list[tuple[str, list[str], str, int]], delimiter: str, bom: bool
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerow(["Track URI", "Track Name", "Album Name", "Artist Name(s)", "Duration (ms)"])
    for title, artists, album, length in rows:
        joined = ";".join(artist.replace(";", "") for artist in artists)
        writer.writerow(
            [f"spotify:track:{ID}", title.replace("\0", ""), album.replace("\0", ""), joined.replace("\0", ""), length]
        )
    playlist = read_list("x.csv", text.getvalue().encode("utf-8-sig" if bom else "utf-8"))
    kept = [row for row in rows if clean(row[0])]
    assert [one.title for one in playlist.tracks] == [clean(title) for title, _, _, _ in kept]
    assert [one.album for one in playlist.tracks] == [clean(album) for _, _, album, _ in kept]
    assert [one.duration_s for one in playlist.tracks] == [pytest.approx(length / 1000) for _, _, _, length in kept]
    for one, (_, artists, _, _) in zip(playlist.tracks, kept, strict=True):
        wanted = [clean(artist.replace(";", "")) for artist in artists]
        assert list(one.artists) == list(dict.fromkeys(filter(None, wanted)))


def test_half_a_file_is_what_was_read_so_far_or_told() -> None:
    rows = "".join(f'spotify:track:{ID},"Song {number}","Al","A;B",,1000,\n' for number in range(20))
    whole = (NEW + rows).encode()
    for cut in random.Random(7).sample(range(len(whole)), 60):
        try:
            found = read_list("x.csv", whole[:cut]).tracks
        except SourceError:
            assert cut < len(NEW)
            continue
        assert [one.title for one in found[:-1]] == [f"Song {number}" for number in range(len(found[:-1]))]


@pytest.mark.parametrize(
    ("encoding", "artist", "title"),
    [
        ("cp1251", "Ночной Трамвай", "Последняя остановка"),
        ("koi8-r", "Старый Причал", "Море и чайки"),
        ("cp932", "青い電車", "雨の日の歌"),
        ("gb18030", "红色风筝", "雨中的城市"),
        ("cp949", "푸른 기차", "비 오는 날"),
        ("cp1252", "Motörkopf", "Über den Dächern"),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.m3u"])
def test_lists_in_old_encodings_are_read_and_said_to_be_a_guess(
    name: str, encoding: str, artist: str, title: str
) -> None:
    text = {
        "a.txt": f"{artist} - {title}\n",
        "a.csv": f"Title,Artist\n{title},{artist}\n",
        "a.m3u": f"#EXTM3U\n#EXTINF:61,{artist} - {title}\n/music/1.mp3\n",
    }[name]
    playlist = read_list(name, text.encode(encoding))
    assert [(one.title, one.artists) for one in playlist.tracks] == [(title, (artist,))]
    assert guessed_encoding(name, text.encode(encoding)) == text_encoding.NAMES[playlist.encoding]
    assert read_list(name, text.encode()).encoding == guessed_encoding(name, text.encode()) == ""
