"""Names: cleaned, compared, taken apart, and read off file names."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.library.names import MAX_NAME, artist_and_title, artist_key, artist_keys, artists, clean, comparable


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


SAME_ARTIST = [
    ("The Beatles", "Beatles", "Beatles, The", "THE BEATLES", "The Beatles - Topic"),
    ("AC/DC", "ACDC", "AC-DC", "ac dc"),
    ("Кино", "Kino", "КИНО"),
    ("Тату", "t.A.T.u.", "Tatu"),
    ("A$AP Rocky", "ASAP Rocky", "A$AP ROCKY"),
    ("Joey Bada$$", "joey badas"),
    ("P!nk", "Pink", "P!NK"),
    ("Adele", "AdeleVEVO", "Adele VEVO", "ADELE"),
    ("R.E.M.", "REM", "R.E.M", "rem"),
    ("N.W.A", "NWA", "N.W.A."),
    ("W.A.S.P.", "Wasp"),
    ("B.B. King", "BB King", "B. B. King", "B B King"),
    ("H.E.R.", "HER", "H.E.R", "h.e.r."),
    ("M.I.A.", "MIA", "M. I. A."),
    ("B.o.B", "B.O.B.", "BOB"),
    ("will.i.am", "Will.I.Am", "Will I Am"),
    ("10cc", "10 CC", "10CC"),
    ("Sunn O)))", "Sunn O", "SUNN O)))"),
    ("A-ha", "aha", "a‐ha"),
    ("The Who", "Who", "Who, The"),
    ("Beyoncé", "Beyonce", "BEYONCE\u0301"),
    ("Sigur Rós", "Sigur Ros", "Sigur Ro\u0301s"),
    ("Motörhead", "MOTORHEAD"),
    ("Guns N' Roses", "Guns n Roses", "Guns N’ Roses"),
    ("Salt-N-Pepa", "Salt 'n' Pepa", "Salt N Pepa"),
    ("Dr. Dre", "Dr.Dre", "dr dre"),
    ("Ｍｕｓｅ", "Muse", "Muse\xa0"),
    ("Fabulosos Cadillacs, Los", "Los Fabulosos Cadillacs"),
]
OTHER_ARTISTS = [
    ("H.E.R.", "Her"),
    ("H.E.R.", "Her's"),
    ("M.I.A.", "Mia"),
    ("B.o.B", "Bob"),
    ("S.H.E", "She"),
    ("H.I.M.", "Him"),
    ("T.H.E.M.", "Them"),
    ("will.i.am", "William"),
    ("!!!", "???"),
    ("!!!", "+"),
    ("+", "+/-"),
    ("The The", "The Who"),
    ("&ME", "Me"),
    ("X", "XX"),
    ("Her", "Hers"),
    ("10cc", "10 Years"),
    ("Muse", "Mouse"),
    ("Little Feat", "Little"),
    ("50 Cent", "Cent"),
]


@pytest.mark.parametrize("spellings", SAME_ARTIST, ids=lambda spellings: spellings[0])
def test_spellings_of_one_artist(spellings: tuple[str, ...]) -> None:
    keys = {artist_key(spelling) for spelling in spellings}
    assert len(keys) == 1 and "" not in keys, keys
    assert {tuple(artist.key for artist in artists(spelling)) for spelling in spellings} == {tuple(keys)}


@pytest.mark.parametrize(("one", "other"), OTHER_ARTISTS)
def test_artists_who_only_look_alike(one: str, other: str) -> None:
    assert artist_key(one) != artist_key(other)
    assert not artist_keys(one) & artist_keys(other)


@pytest.mark.parametrize(
    ("credit", "expected"),
    [
        ("Draft", ["draft"]),
        ("The Gift", ["gift"]),
        ("Little Feat", ["littlefeat"]),
        ("Little Feat & Friends", ["littlefeat"]),
        ("Little Feat feat. B", ["littlefeat", "b"]),
        ("Band of Horses", ["bandofhorses"]),
        ("A feat. B", ["a", "b"]),
        ("A featuring B", ["a", "b"]),
        ("A FT. B", ["a", "b"]),
        ("A ft B", ["a", "b"]),
        ("A (feat. B)", ["a", "b"]),
        ("A [ft. B & C]", ["a", "b", "c"]),
        ("A vs. B", ["a", "b"]),
        ("A x B", ["a", "b"]),
        ("A×B", ["a", "b"]),
        ("A / B", ["a", "b"]),
        ("A | B", ["a", "b"]),
        ("A and B with C", ["a", "b", "c"]),
        ("A und B", ["a", "b"]),
        ("A y B", ["a", "b"]),
        ("A pres. B", ["a", "b"]),
        ("A aka B", ["a", "b"]),
        ("A、B", ["a", "b"]),
        ("Prince\0Sheila E.", ["prince", "sheilae"]),
        ("Beyoncé; JAY-Z", ["beyonce", "jayz"]),
        ("Beyoncé/JAY-Z", ["beyonce", "jayz"]),
        ("A, A & a", ["a"]),
        ("Lil Nas X & Jack Harlow", ["lilnasx", "jackharlow"]),
        ("Lil Nas X x Jack Harlow", ["lilnasx", "jackharlow"]),
        ("Earth, Wind & Fire", ["earth", "wind", "fire"]),
        ("Tyler, The Creator", ["tyler", "creator"]),
        ("10,000 Maniacs", ["10000maniacs"]),
        ("M/A/R/R/S", ["marrs"]),
        ("!!! & Muse", ["!!!", "muse"]),
        ("Fall, The; Beatles, The", ["fall", "beatles"]),
        ("Glenn Miller & His Orchestra", ["glennmiller"]),
        ("Bach et al.", ["bach"]),
        ("Bob Dylan & The Band", ["bobdylan", "band"]),
        ("Various, Muse", ["muse"]),
        ("Various Artists feat. Muse", ["muse"]),
        ("Unknown Mortal Orchestra", ["unknownmortalorchestra"]),
    ],
)
def test_everyone_in_a_credit(credit: str, expected: list[str]) -> None:
    assert [artist.key for artist in artists(credit)] == expected


@pytest.mark.parametrize(
    "credit",
    ["", "\0", "-", "—", "...", "Unknown Artist", "<unknown>", "[unknown]", "Various Artists", "VARIOUS", "VA", "V.A.",
     "V/A", "Разные исполнители", "Varios Artistas", "Artiste inconnu", "不明なアーティスト", "群星"],
)  # fmt: skip
def test_unknown_and_various_artists_are_nobody(credit: str) -> None:
    assert artists(credit) == () and artist_keys(credit) == frozenset() and artist_key(credit) == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Tyler, The Creator", "Tyler The Creator"),
        ("Earth, Wind & Fire", "Earth Wind and Fire"),
        ("Simon & Garfunkel", "SimonGarfunkel"),
        ("Guns N' Roses", "Guns & Roses"),
        ("Salt-N-Pepa", "Salt & Pepa"),
        ("Earth, Wind & Fire", "Earth; Wind & Fire"),
        ("HIM", "H.I.M."),
        ("HER", "Her"),
        ("A feat. Girlschool", "girlschool"),
    ],
)
def test_credits_that_share_an_artist(one: str, other: str) -> None:
    assert artist_keys(one) & artist_keys(other)


@pytest.mark.parametrize(
    "joiner", [" feat. ", " ft. ", " & ", "; ", ", ", " / ", " vs. ", " featuring ", " with ", " x "]
)
def test_whoever_plays_along_is_found_alone_too(joiner: str) -> None:
    credit = artist_keys(f"Motörhead{joiner}Girlschool")
    assert credit & artist_keys("Girlschool") and credit & artist_keys("MOTORHEAD")
    assert not credit & artist_keys("Muse")


@given(
    st.text(max_size=40)
    | st.lists(st.sampled_from(["A", "Muse", "&", "feat.", "x", ",", "/", "The", "!"])).map(" ".join)
)
def test_keys_hold_all_artists_and_are_visible(credit: str) -> None:
    found = [artist.key for artist in artists(credit)]
    assert len(set(found)) == len(found) and set(found) <= artist_keys(credit)
    for key in artist_keys(credit):
        assert key and "|" not in key and key == clean(key)


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
