"""Names: cleaned, compared, taken apart, and read off file names."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.library.names import MAX_NAME, artist_and_title, artists_in, clean, comparable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Title  ", "Title"),
        ("two\nlines\tand\r\nmore", "two lines and more"),
        ("no\x00thing", "nothing"),
        ("bell\x07", "bell"),
        ("\u202eesrever\u202c", "esrever"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("thin\u2009space\u00a0here\u3000too", "thin space here too"),
        ("half \udcff", "half"),
        ("Sigur Rós – Ágætis byrjun", "Sigur Rós – Ágætis byrjun"),
        ("東京事変", "東京事変"),
        ("🎵 song", "🎵 song"),
        ("", ""),
        ("\x00\u200b", ""),
        ("x" * 400, "x" * 300),
    ],
)
def test_clean(text: str, expected: str) -> None:
    assert clean(text) == expected


@given(st.text(), st.integers(1, 80))
def test_a_clean_name_is_one_short_visible_line(text: str, limit: int) -> None:
    cleaned = clean(text, limit=limit)
    assert len(cleaned) <= limit
    assert clean(cleaned, limit=limit) == cleaned
    assert cleaned == cleaned.strip()
    assert "  " not in cleaned
    assert not any(unicodedata.category(ch)[0] == "C" for ch in cleaned)
    cleaned.encode("utf-8")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Beyoncé", "beyonce"),
        ("BJÖRK", "Bjo\u0308rk"),
        ("Guns N' Roses", "guns n roses"),
        ("AC/DC", "ac-dc"),
        ("P!nk", "p nk"),
        ("snake_case", "Snake Case"),
        ("  much   space ", "much space"),
        ("ＦＵＬＬ", "full"),
        ("Straße", "STRASSE"),
        ("Band™", "BANDTM"),
        ("№ 5", "no 5"),
    ],
)
def test_names_that_compare_as_equal(one: str, other: str) -> None:
    assert comparable(one) == comparable(other) != ""


@pytest.mark.parametrize(("one", "other"), [("Muse", "Mouse"), ("東京", "京都"), ("Song 1", "Song 2"), ("A B", "AB")])
def test_names_that_differ(one: str, other: str) -> None:
    assert comparable(one) != comparable(other)


@given(st.text())
def test_comparing_twice_is_comparing_once(name: str) -> None:
    assert comparable(comparable(name)) == comparable(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Muse", {"muse"}),
        ("Draft", {"draft"}),
        ("Left", {"left"}),
        ("Kraftwerk", {"kraftwerk"}),
        ("Daft Punk", {"daft punk"}),
        ("The Gift", {"the gift"}),
        ("Soft Cell", {"soft cell"}),
        ("Defeat", {"defeat"}),
        ("Little Feat", {"little feat"}),
        ("Band of Horses", {"band of horses"}),
        ("Sandy", {"sandy"}),
        ("Withered", {"withered"}),
        ("A feat. B", {"a feat b", "a", "b"}),
        ("A feat B", {"a feat b", "a", "b"}),
        ("A featuring B", {"a featuring b", "a", "b"}),
        ("A FT. B", {"a ft b", "a", "b"}),
        ("A ft B", {"a ft b", "a", "b"}),
        ("A (feat. B)", {"a feat b", "a", "b"}),
        ("A vs. B", {"a vs b", "a", "b"}),
        ("A vs B", {"a vs b", "a", "b"}),
        ("A & B", {"a b", "a", "b"}),
        ("A and B with C", {"a and b with c", "a", "b", "c"}),
        ("A; B/C, D + E", {"a b c d e", "a", "b", "c", "d", "e"}),
        ("Beyoncé; JAY-Z", {"beyonce jay z", "beyonce", "jay z"}),
        ("", set()),
        ("Unknown Artist", set()),
        ("Various Artists", set()),
        ("VA", set()),
        ("unknown", set()),
        ("Various, Muse", {"various muse", "muse"}),
    ],
)
def test_artists_in(name: str, expected: set[str]) -> None:
    assert artists_in(name) == expected


@pytest.mark.parametrize("joiner", [" feat. ", " ft. ", " & ", "; ", ", ", " / ", " vs. ", " featuring ", " with "])
def test_whoever_plays_along_is_found_alone_too(joiner: str) -> None:
    assert artists_in(f"Motörhead{joiner}Girlschool") & artists_in("Girlschool")
    assert artists_in(f"Motörhead{joiner}Girlschool") & artists_in("MOTORHEAD")
    assert not artists_in(f"Motörhead{joiner}Girlschool") & artists_in("Muse")


@pytest.mark.parametrize(
    ("stem", "artist", "title"),
    [
        ("Artist - Title", "Artist", "Title"),
        ("Artist_-_Title", "Artist", "Title"),
        ("Artist - Title - Live", "Artist", "Title - Live"),
        ("01 - Artist - Title", "Artist", "Title"),
        ("01. Artist - Title", "Artist", "Title"),
        ("01) Artist - Title", "Artist", "Title"),
        ("01 Artist - Title", "Artist", "Title"),
        ("7. Title", "", "Title"),
        ("12 - Title", "", "Title"),
        ("03 Title", "", "Title"),
        ("50 Cent - In Da Club", "50 Cent", "In Da Club"),
        ("2 Unlimited - No Limit", "2 Unlimited", "No Limit"),
        ("99 Luftballons", "", "99 Luftballons"),
        ("1999", "", "1999"),
        ("01", "", "01"),
        ("Title", "", "Title"),
        ("Hyphen-ated", "", "Hyphen-ated"),
        ("Artist - Title [dQw4w9WgXcQ]", "Artist", "Title"),
        ("Artist - Title [dQw4_9W-XcQ]", "Artist", "Title"),
        ("Artist - Title [_Qw4w9WgXc_]", "Artist", "Title"),
        ("Artist - Title [12]", "Artist", "Title"),
        ("Artist_-_Title_[12]", "Artist", "Title"),
        ("100 - Artist - Title", "Artist", "Title"),
        ("Artist - Title [Live]", "Artist", "Title [Live]"),
        ("Artist - Title (2004 Remaster)", "Artist", "Title (2004 Remaster)"),
        (" - ", "", "-"),
        (" - Title", "", "- Title"),
        ("Artist - ", "", "Artist -"),
        ("", "", "untitled"),
        ("\x00", "", "untitled"),
        ("[12]", "", "[12]"),
        ("アーティスト - 曲", "アーティスト", "曲"),
        ("Art\x00ist - Ti\u202etle", "Artist", "Title"),
        ("A - " + "x" * 400, "A", "x" * 296),
    ],
)
def test_artist_and_title_of_a_file_name(stem: str, artist: str, title: str) -> None:
    assert artist_and_title(stem) == (artist, title)


@given(st.text())
def test_every_file_name_gives_a_title(stem: str) -> None:
    artist, title = artist_and_title(stem)
    assert title
    assert clean(title) == title
    assert clean(artist) == artist
    assert max(len(artist), len(title)) <= MAX_NAME


words = st.text("abcdefghij ", min_size=1, max_size=20).map(str.strip).filter(bool)


@given(artist=words, title=words, number=st.integers(1, 99))
def test_names_written_plainly_are_read_back(artist: str, title: str, number: int) -> None:
    expected = clean(artist), clean(title)
    for stem in (f"{artist} - {title}", f"{number:02d} - {artist} - {title}", f"{artist} - {title} [{number}]"):
        assert artist_and_title(stem) == expected
