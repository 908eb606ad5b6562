import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import SourceError
from core.music import ListedTrack
from core.sources.lists import read_list, read_text
from core.sources.tracklists import tracks_of

SPOTIFY = "https://open.spotify.com/track/4C0NorBxrMwAxAiy4fsomO"


def names(text: str) -> list[tuple[str, ...]]:
    tracks, _ = tracks_of(text)
    return [(*one.artists, one.title) for one in tracks]


@pytest.mark.parametrize(
    ("line", "artist", "title", "duration_s"),
    [
        ("Artist - Title", "Artist", "Title", None),
        ("Artist – Title", "Artist", "Title", None),
        ("Artist—Title", "Artist", "Title", None),
        ("Artist -- Title - Live", "Artist", "Title - Live", None),
        ("a-ha - Take On Me", "a-ha", "Take On Me", None),
        ("12. Artist - Title (3:45)", "Artist", "Title", 225.0),
        ("(7) Artist - Title [1:02:03]", "Artist", "Title", 3723.0),
        ("7) Artist - Title", "Artist", "Title", None),
        ("01 Artist - Title", "Artist", "Title", None),
        ("12 - Artist - Title", "Artist", "Title", None),
        ("50 Cent - In da Club", "50 Cent", "In da Club", None),
        ("99 - Luft", "99", "Luft", None),
        ("• Artist - Title", "Artist", "Title", None),
        ("* Artist - Title", "Artist", "Title", None),
        ("- Artist - Title", "Artist", "Title", None),
        ("Artist\tTitle", "Artist", "Title", None),
        ("3\tArtist\tTitle\tAlbum\t3:45", "Artist", "Title", 225.0),
        ("JAY-Z - 4:44", "JAY-Z", "4:44", None),
        ("Artist - (4:44)", "Artist", "(4:44)", None),
        ("A; B - C", "A, B", "C", None),
        ("=1+1 - <b>x</b>", "=1+1", "<b>x</b>", None),
        ("00:00 Anna One - Song A", "Anna One", "Song A", None),
        ("12:05 - Emil - Jump", "Emil", "Jump", None),
        ("Gus - Hop 3:33", "Gus", "Hop", 213.0),
        ("[1:02:03] Hal - Run", "Hal", "Run", None),
        ("01. (00:00) Ida - Sit", "Ida", "Sit", None),
        ("1. 00:00 - Ida - Sit", "Ida", "Sit", None),
        ("00:00 1. Ida - Sit", "Ida", "Sit", None),
        ("1 [12:05] Ida - Sit", "Ida", "Sit", None),
        ("#1 12:05 Ida - Sit", "Ida", "Sit", None),
        ("{12:05} Ida - Sit", "Ida", "Sit", None),
        ("12:05 | Ida - Sit", "Ida", "Sit", None),
        ("12:05) Ida - Sit", "Ida", "Sit", None),
        ("00:00-03:45 Ida - Sit", "Ida", "Sit", None),
        ("00:00 – 03:45 – Ida – Sit", "Ida", "Sit", None),
        ("Ida - Sit (00:00 - 03:45)", "Ida", "Sit", None),
        ("Ida - Sit - 3:33", "Ida", "Sit", 213.0),
        ("Ida - Sit | 3:33", "Ida", "Sit", 213.0),
        ("Ida - Sit, 3:33", "Ida", "Sit", 213.0),
        ("12:05 Ida - Sit 3:33", "Ida", "Sit", 213.0),
        ("00:00 JAY-Z - 4:44", "JAY-Z", "4:44", None),
        ("1:02:03 - Ida - Sit", "Ida", "Sit", None),
        ("75:30 Ida - Sit", "Ida", "Sit", None),
        ("1\t00:00\tIda\tSit", "Ida", "Sit", None),
        ("00:00\tIda - Sit", "Ida", "Sit", None),
        ("Ida - Sit\t3:33", "Ida", "Sit", 213.0),
        ("4:44\tJay", "4:44", "Jay", None),
        ("4:44 - Jay", "4:44", "Jay", None),
        ("7:30 - Nine", "7:30", "Nine", None),
        ("99 Problems - Jay", "99 Problems", "Jay", None),
        ("25 or 6 to 4 - Chicago", "25 or 6 to 4", "Chicago", None),
        ("1979 - Pumpkins", "1979", "Pumpkins", None),
        ("1979 - Pumpkins - Live", "1979", "Pumpkins - Live", None),
        ("12:05pm - Ida", "12:05pm", "Ida", None),
        ("Ida - Sit 3:33 AM", "Ida", "Sit 3:33 AM", None),
    ],
)
def test_lines(line: str, artist: str, title: str, duration_s: float | None) -> None:
    playlist = read_text("Pasted", f"\n{line}\r\n\n")
    assert playlist.tracks == (ListedTrack(title, (artist,), duration_s=duration_s),)
    assert playlist.skipped == {}


def test_lines_without_a_dash_are_counted() -> None:
    playlist = read_text(" My\tlist ", "Only a title\n   \nArtist - Title\n - \n3:45\n")
    assert (playlist.source, playlist.title, playlist.reference) == ("text", "My list", "My list")
    assert len(playlist.tracks) == 1 and playlist.skipped == {"no artist and title": 3}
    assert read_text("", "").title == "Pasted list"


# -- what the whole list says of a clock -------------------------------------------------------------------------------


def test_a_mixed_list_with_times_keeps_names_that_are_clocks() -> None:
    text = """Tracklist:
    00:00 Anna One - Song A
    12:05 - Emil - Jump
    Gus - Hop 3:33
    [1:02:03] Hal - Run
    01. (00:00) Ida - Sit
    4:44 - Jay
    JAY-Z - 4:44
    Chicago - 25 or 6 to 4"""
    assert names(text) == [
        ("Anna One", "Song A"), ("Emil", "Jump"), ("Gus", "Hop"), ("Hal", "Run"), ("Ida", "Sit"), ("4:44", "Jay"),
        ("JAY-Z", "4:44"), ("Chicago", "25 or 6 to 4"),
    ]  # fmt: skip


def test_in_a_list_without_times_clocks_are_names() -> None:
    text = """4:44 - Jay
    7:30 - Nine
    7:30 Club - Late
    Ex - Train 4:10
    The Cure - 10:15 Saturday Night
    Jay - 99 Problems
    Smash - 1979
    Anna - Song A"""
    assert names(text) == [
        ("4:44", "Jay"), ("7:30", "Nine"), ("7:30 Club", "Late"), ("Ex", "Train 4:10"),
        ("The Cure", "10:15 Saturday Night"), ("Jay", "99 Problems"), ("Smash", "1979"), ("Anna", "Song A"),
    ]  # fmt: skip


def test_times_of_some_lines_are_times_if_they_rise() -> None:
    plain = [f"Band {n} - Song {n}" for n in range(8)]
    assert names("\n".join(["0:30 Ada - A", *plain[:4], "12:05 Bo - B", *plain[4:]]))[0] == ("Ada", "A")
    assert names("\n".join(["9:30 Ada - A", *plain[:4], "2:05 Bo - B", *plain[4:]]))[0] == ("9:30 Ada", "A")


def test_times_with_titles_alone_name_no_artist() -> None:
    tracks, skipped = tracks_of("0:00 - Intro\n3:12 - Song B\n7:45 - Song C")
    assert (tracks, skipped) == ([], {"no artist and title": 3})
    _, skipped = tracks_of("00:00 A - B\n04:44 - Jay\n09:30 C - D")
    assert skipped == {"no artist and title": 1}
    assert names("00:00 A - B\n4:44 - Jay\n09:30 C - D")[1] == ("4:44", "Jay"), "written unlike the others"
    assert names("00:00 A - B\n09:30 C - D\n04:44 - Jay")[2] == ("04:44", "Jay"), "out of order"


def test_clocks_at_the_end_are_lengths_unless_they_are_positions() -> None:
    def lengths(*clocks: str) -> list[float | None]:
        return [one.duration_s for one in tracks_of("\n".join(f"Ada - Song {clock}" for clock in clocks))[0]]

    assert lengths("3:33", "2:10", "4:00") == [213.0, 130.0, 240.0]
    assert lengths("(3:33)", "[4:10]") == [213.0, 250.0]
    assert lengths("0:00", "3:33", "7:00") == [None] * 3
    assert lengths("1:00", "3:33", "7:00", "9:10", "12:00") == [None] * 5


def test_numbers_before_a_dash_are_names_in_a_list_without_numbers() -> None:
    assert names("Ada - A\nBo - B\n99 - Luft - Live\nCy - C") == [
        ("Ada", "A"), ("Bo", "B"), ("99", "Luft - Live"), ("Cy", "C"),
    ]  # fmt: skip
    assert names("1 - Ada - A\n2 - Bo - B") == [("Ada", "A"), ("Bo", "B")]


NAME = st.sampled_from(["Anna One", "25 or 6 to 4", "99 Problems", "1979", "Song A", "a-ha", "U2", "The 1975", "Ø"])


@given(
    songs=st.lists(st.tuples(NAME, NAME), min_size=1, max_size=12),
    starts=st.lists(st.integers(1, 600), min_size=12, max_size=12),
    shape=st.sampled_from(["{c} {s}", "[{c}] {s}", "({c}) {s}", "{c} - {s}", "{n}. {c} {s}", "{s} {c}", "{s} [{c}]", "{c}\t{s}"]),
    hours=st.booleans(),
)  # fmt: skip
def test_no_clock_of_a_timed_list_ends_up_in_a_name(
    songs: list[tuple[str, str]], starts: list[int], shape: str, hours: bool
) -> None:
    at, lines = 0, []
    for n, ((artist, title), gap) in enumerate(zip(songs, starts, strict=False), start=1):
        clock = f"{at // 3600}:{at // 60 % 60:02}:{at % 60:02}" if hours else f"{at // 60:02}:{at % 60:02}"
        lines.append(shape.format(c=clock, s=f"{artist} - {title}", n=n))
        at += gap
    assert names("\n".join(lines)) == songs


@given(lines=st.lists(st.text(st.sampled_from("0123456789:-–[]() \tAb"), max_size=30), max_size=8))
def test_each_line_is_a_track_or_counted(lines: list[str]) -> None:
    text = "\n".join(lines)
    tracks, skipped = tracks_of(text)
    assert len(tracks) + sum(skipped.values()) == len([line for line in text.splitlines() if line.strip()])
    assert not any(
        re.match(r"\d+:\d\d (?=\S+ - )\S+ - ", f"{one.artists[0]} - {one.title}") and len(tracks) == 1 for one in tracks
    )


# -- links -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        SPOTIFY,
        f"{SPOTIFY}?si=abc\n{SPOTIFY}\n",
        "spotify:track:4C0NorBxrMwAxAiy4fsomO",
        "https://open.spotify.com/intl-de/track/4C0NorBxrMwAxAiy4fsomO",
        f"My songs:\n<{SPOTIFY}>",
        "open.spotify.com/track/4C0NorBxrMwAxAiy4fsomO",
    ],
)
def test_links_to_spotify_tracks_are_named_with_what_to_do(text: str) -> None:
    for read in (lambda: read_text("x", text), lambda: read_list("x.txt", text.encode())):
        with pytest.raises(SourceError, match=r"4C0NorBxrMwAxAiy4fsomO.*exportify\.net.*`Artist - Title`"):
            read()


def test_links_among_songs_are_counted() -> None:
    playlist = read_text("x", f"Ada - A\n{SPOTIFY}\nhttps://www.youtube.com/watch?v=x\n")
    assert [one.title for one in playlist.tracks] == ["A"]
    assert playlist.skipped == {"link to a Spotify track": 1, "link without a name": 1}
