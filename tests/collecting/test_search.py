"""The search for recordings, asked of a made-up YouTube on loopback through the real yt-dlp."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from core.collecting import search as searching
from core.collecting.failures import NotFetched
from core.collecting.search import TrackSearch
from core.errors import RateLimited
from core.fetch import Pause
from core.music import Candidate, ListedTrack
from core.settings import Settings
from core.sources import sites
from tests.collecting import youtube_search_pages as pages
from tests.collecting.youtube import Recording, YouTube
from tests.collecting.youtube_search_pages import LAYOUTS, NO_VIDEOS, Page, Row, SearchPages, Video
from tests.loopback import Answer, Asked, Loopback
from tests.sources.conftest import Internet

SONG = Recording("song0000000", "Strobe", "deadmau5 - Topic", 637, isrc="GBTDG0900141", is_song=True)
VIDEO = Recording("video000000", "deadmau5 - Strobe (Live)", "a fan", 612)
OTHER = Recording("other000000", "Strobe Light", "Somebody", 200, is_song=True)
TRACK = ListedTrack("Strobe", ("deadmau5",), "For Lack of a Better Name", 637.0, "GBTDG0900141")


def search(settings: Settings, track: ListedTrack = TRACK) -> list[list[Candidate]]:
    return list(TrackSearch(settings).stages(track))


def ids(found: list[Candidate]) -> list[str]:
    return [one.source_id for one in found]


def test_the_cheapest_question_comes_first_and_no_more_is_asked_than_is_wanted(
    settings: Settings, internet: Internet
) -> None:
    youtube = YouTube([SONG, VIDEO])
    server = internet(youtube)
    stages = TrackSearch(settings).stages(TRACK)
    assert server.asked == []
    assert ids(next(stages)) == ["song0000000", "video000000"]
    assert youtube.queries == [("videos", "deadmau5 Strobe")] and len(server.asked) == 1
    stages.close()
    assert len(server.asked) == 1


def test_a_list_of_videos_tells_all_that_matching_wants(settings: Settings, internet: Internet) -> None:
    internet(YouTube([SONG, VIDEO]))
    song, video = search(settings)[0]
    assert song == Candidate(
        "https://www.youtube.com/watch?v=song0000000", "song0000000", "Strobe", "deadmau5 - Topic",
        duration_s=637.0, views=1234, is_song=True,
    )  # fmt: skip
    assert (video.channel, video.duration_s, video.is_song, video.has_isrc) == ("a fan", 612.0, None, False)


def test_then_the_isrc_then_the_names_are_searched_for_on_youtube_music(settings: Settings, internet: Internet) -> None:
    youtube = YouTube([OTHER, SONG, VIDEO])
    internet(youtube)
    videos, by_isrc, by_names = search(settings)
    assert youtube.queries == [("videos", "deadmau5 Strobe"), ("music", "GBTDG0900141"), ("music", "deadmau5 Strobe")]
    assert set(ids(videos)) == {"other000000", "song0000000", "video000000"}
    assert ids(by_isrc) == ["song0000000"] and by_isrc[0].has_isrc, "found again, and now by its code"
    assert by_names == [], "what was found before is not read again"


def test_songs_that_only_youtube_music_lists_are_read_for_their_length(settings: Settings, internet: Internet) -> None:
    youtube = YouTube([Recording(f"hidden{n:05d}", f"Strobe {n}", "Label", 100 + n, is_song=True) for n in range(6)])
    youtube.hidden_from_videos = True
    server = internet(youtube)
    videos, by_isrc, by_names = search(settings)
    assert (videos, by_isrc) == ([], [])
    assert [(one.source_id, one.duration_s, one.channel, one.is_song) for one in by_names] == [
        (f"hidden{n:05d}", 100.0 + n, "Label", True) for n in range(3)
    ], "only the first three"
    assert server.paths.count("/watch") == 3


@pytest.mark.parametrize(
    "left_out",
    [
        Recording("nolength000", "Strobe", "x", clock=""),
        Recording("live0000000", "Strobe", "x", is_live=True),
        Recording("tooshort", "Strobe", "x"),
    ],
    ids=["no length", "live", "no id of a video"],
)
def test_what_can_be_no_match_is_left_out(settings: Settings, internet: Internet, left_out: Recording) -> None:
    internet(YouTube([left_out, VIDEO]))
    assert ids(search(settings)[0]) == ["video000000"]


def test_a_song_that_is_gone_is_passed_over(settings: Settings, internet: Internet) -> None:
    gone = Recording(
        "gone0000000", "Strobe", "Label", is_song=True, playability={"status": "ERROR", "reason": "Video unavailable"}
    )
    youtube = YouTube([gone, Recording("there000000", "Strobe", "Label", 637, is_song=True)])
    youtube.hidden_from_videos = True
    internet(youtube)
    assert ids(search(settings)[-1]) == ["there000000"]


@pytest.mark.parametrize(
    ("title", "asked"),
    [
        ("ytsearch5:cats", "deadmau5 ytsearch5:cats"),
        ("http://127.0.0.1/x", "deadmau5 http://127.0.0.1/x"),
        ("-live", "deadmau5 live"),
        ('"Strobe" | x', "deadmau5 Strobe x"),
        ("אורטגה 🎵\x00\n", "deadmau5 אורטגה 🎵"),
        ("x" * 5000, "deadmau5 " + "x" * 191),
    ],
)
def test_a_title_is_only_ever_words(settings: Settings, internet: Internet, title: str, asked: str) -> None:
    youtube = YouTube([VIDEO])
    server = internet(youtube)
    search(settings, ListedTrack(title, ("deadmau5",)))
    assert [query for _, query in youtube.queries] == [asked] * 2
    assert {(one.host, one.path) for one in server.asked} <= {
        (host, path)
        for host in ("www.youtube.com", "music.youtube.com")
        for path in ("/youtubei/v1/search", "/sw.js_data")
    }


def test_without_names_there_is_nothing_to_ask(settings: Settings, internet: Internet) -> None:
    server = internet(YouTube([VIDEO]))
    assert search(settings, ListedTrack(' "-" ', ())) == [] and server.asked == []


def test_names_of_hostile_videos_are_clean(settings: Settings, internet: Internet) -> None:
    internet(YouTube([Recording("hostile0000", "Strobe \x1b[31m\u202e<b>\n\0", "x\r\n<script>")]))
    (found,) = search(settings)[0]
    assert "\n" not in found.title + found.channel and "\0" not in found.title and "\u202e" not in found.title


@pytest.mark.parametrize(
    ("answer", "reason", "wait_s"),
    [
        (Answer(b"", 429, {"Retry-After": "77"}), "rate limit", 77.0),
        (Answer(b"", 429), "rate limit", None),
        (Answer(b"", 500), "network", None),
        (Answer(cut=True), "network", None),
        (Answer(b"<html>", 200), "outdated yt-dlp", None),
    ],
)
def test_refusals_are_told_with_their_reason(
    settings: Settings, internet: Internet, answer: Answer, reason: str, wait_s: float | None
) -> None:
    youtube = YouTube([VIDEO])
    youtube.refusal = answer
    internet(youtube)
    with pytest.raises(NotFetched) as told:
        search(settings)
    assert (told.value.reason, told.value.retry_after_s) == (reason, wait_s)
    assert "YouTube" in str(told.value) and "http" not in str(told.value)


def test_while_a_pause_is_due_nobody_is_asked(settings: Settings, internet: Internet) -> None:
    server = internet(YouTube([VIDEO]))
    Pause(settings.answers / "youtube.pause.json", "YouTube").begin(60.0)
    with pytest.raises(RateLimited) as told:
        search(settings)
    assert timedelta(0) < told.value.retry_at - datetime.now(UTC) <= timedelta(seconds=60) and server.asked == []


# -- what each question costs --------------------------------------------------------------------------------------

ISRC = "GBTDG0900141"
BOTH = ListedTrack("Strobe", ("deadmau5",), isrc=ISRC)
NAMES = ListedTrack("Strobe", ("deadmau5",))
WWW, MUSIC = "www.youtube.com", "music.youtube.com"


def asked_of(server: Loopback) -> list[tuple[str, str]]:
    return [(one.host.removesuffix(":443"), one.path) for one in server.asked]


def song_ids(letters: str) -> list[str]:
    return [letter * 11 for letter in letters]


def songs(letters: str, **about: Any) -> list[Page]:
    return [Page(one, **about) for one in song_ids(letters)]


def test_each_stage_asks_only_when_it_is_wanted_and_once_for_each_page(settings: Settings, internet: Internet) -> None:
    found = {ISRC: song_ids("abcd"), "deadmau5 Strobe": song_ids("befghi")}
    server = internet(SearchPages([pages.renderer(Video("v" * 11, "Strobe", "a fan"))], found, songs("abcdefghi")))
    stages = TrackSearch(settings).stages(BOTH)
    search_videos, search_songs, page = (WWW, "/youtubei/v1/search"), (MUSIC, "/youtubei/v1/search"), (WWW, "/watch")
    assert ids(next(stages)) == ["v" * 11] and asked_of(server) == [search_videos]
    assert ids(next(stages)) == song_ids("ab") and asked_of(server)[1:] == [search_songs, page, page]
    assert ids(next(stages)) == song_ids("ef"), "of the first three, one was read before"
    assert asked_of(server)[4:] == [search_songs, page, page]
    assert list(stages) == [] and len(server.asked) == 7


def test_no_two_requests_follow_each_other_at_once(
    settings: Settings, internet: Internet, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = internet(SearchPages([], {"deadmau5 Strobe": song_ids("ab")}, songs("ab")))
    monkeypatch.setattr(sites, "PAUSE_S", 0.2)
    search(settings, NAMES)
    times = [one.at for one in server.asked]
    assert len(times) == 4
    assert all(later - earlier >= 0.2 for earlier, later in pairwise(times))


def test_only_readers_of_searches_and_videos_are_loaded(settings: Settings) -> None:
    with TrackSearch(settings)._reader() as reader:
        assert {one.IE_NAME for one in reader._ies.values()} == {
            "youtube",
            "youtube:search",
            "youtube:music:search_url",
        }


# -- what is told of a recording -----------------------------------------------------------------------------------


@pytest.mark.parametrize("has_player", [True, False], ids=["on the page", "the player is asked"])
def test_a_page_tells_all_that_matching_wants(settings: Settings, internet: Internet, has_player: bool) -> None:
    song = Page("a" * 11, "Strobe", artists=("deadmau5", "Kaskade"), album="For Lack", has_player=has_player)
    server = internet(SearchPages([], {ISRC: [song.id]}, [song]))
    assert search(settings, BOTH)[1] == [
        Candidate(
            f"https://www.youtube.com/watch?v={song.id}", song.id, "Strobe", "deadmau5 - Topic", ("deadmau5", "Kaskade"),
            "For Lack", 637.0, views=77, is_song=True, has_isrc=True,
        )
    ]  # fmt: skip
    assert server.paths.count("/watch") == 1 and server.paths.count("/youtubei/v1/player") == (not has_player)


@pytest.mark.parametrize("row", LAYOUTS)
def test_both_layouts_of_a_list_tell_the_same(
    settings: Settings, internet: Internet, row: Callable[[Video], Row]
) -> None:
    listed = [
        Video("a" * 11, "Strobe", "deadmau5 - Topic", "10:37", "12,345,678 views"),
        Video("b" * 11, "Strobe (1 hour)", "a fan", "1:02:03", "No views"),
    ]
    internet(SearchPages([row(video) for video in listed]))
    song, long = search(settings, NAMES)[0]
    assert song == Candidate(
        f"https://www.youtube.com/watch?v={'a' * 11}", "a" * 11, "Strobe", "deadmau5 - Topic", duration_s=637.0,
        views=12_345_678, is_song=True,
    )  # fmt: skip
    assert (long.duration_s, long.channel, long.is_song, long.artists) == (3723.0, "a fan", None, ())


ODD_NAMES = [
    ("Łąka 🎵👩‍👩‍👧 ¡ñ!", "Łąka 🎵👩👩👧 ¡ñ!"),  # without the joiners, which cannot be seen
    ("אורטגה - חצי חופשי", "אורטגה - חצי חופשי"),
    ("\u202eيا مسافر\u202c وحدك\u200f", "يا مسافر وحدك"),
    ("<b>Strobe</b> &amp; <script>x()</script>", "<b>Strobe</b> &amp; <script>x()</script>"),
    ("a\x1b[31m\r\nb\x00c\td", "a[31m bc d"),
]


@pytest.mark.parametrize(("said", "kept"), ODD_NAMES)
def test_odd_names_are_kept_on_one_line(settings: Settings, internet: Internet, said: str, kept: str) -> None:
    rows = [row(Video(letter * 11, said, said)) for letter, row in zip("ab", LAYOUTS, strict=True)]
    internet(SearchPages(rows, {"deadmau5 Strobe": ["c" * 11]}, [Page("c" * 11, said, said)]))
    videos, by_names = search(settings, NAMES)
    assert [(one.source_id[0], one.title, one.channel) for one in videos + by_names] == [
        (letter, kept, kept) for letter in "abc"
    ]


@pytest.mark.parametrize("row", LAYOUTS)
@pytest.mark.parametrize(
    "left_out",
    [
        Video("a" * 11, "Strobe", "x", clock=""),
        Video("a" * 11, "Strobe", "x", status="live"),
        Video("a" * 11, "Strobe", "x", status="upcoming"),
        Video("a" * 11, "Strobe", "x", status="members"),
        Video("a" * 11, "", "x"),
        Video("a" * 10, "Strobe", "x"),
        Video("a" * 12, "Strobe", "x"),
        Video("../../../ab", "Strobe", "x"),
        Video("ä" * 11, "Strobe", "x"),
    ],
    ids=lambda video: f"{video.id} {video.status}",
)
def test_what_can_be_no_match_is_left_out_of_either_layout(
    settings: Settings, internet: Internet, row: Callable[[Video], Row], left_out: Video
) -> None:
    internet(SearchPages([*NO_VIDEOS, row(left_out), row(Video("v" * 11, "Strobe", "a fan"))]))
    assert ids(search(settings, NAMES)[0]) == ["v" * 11]


@pytest.mark.parametrize(
    "about", [{"seconds": None}, {"seconds": 0}, {"details": {"isLive": True}}, {"details": {"isUpcoming": True}}],
    ids=["no length", "no time", "live", "upcoming"],
)  # fmt: skip
def test_what_can_be_no_match_by_its_page_is_left_out(
    settings: Settings, internet: Internet, about: dict[str, Any]
) -> None:
    server = internet(SearchPages([], {"deadmau5 Strobe": song_ids("ab")}, [Page("a" * 11, **about), Page("b" * 11)]))
    assert ids(search(settings, NAMES)[1]) == ["b" * 11]
    assert server.paths.count("/watch") == 2


# -- the same again --------------------------------------------------------------------------------------------------


def test_what_a_list_repeats_is_one_candidate(settings: Settings, internet: Internet) -> None:
    video = Video("v" * 11, "Strobe", "a fan")
    listed = {ISRC: song_ids("aa"), "deadmau5 Strobe": song_ids("abb")}
    server = internet(SearchPages([row(video) for row in LAYOUTS], listed, songs("ab")))
    assert [ids(found) for found in search(settings, BOTH)] == [["v" * 11], ["a" * 11], ["b" * 11]]
    assert server.paths.count("/watch") == 2


@pytest.mark.parametrize("channel", ["deadmau5 - Topic", "deadmau5"])
def test_the_isrc_lifts_what_is_known_without_reading_it_again(
    settings: Settings, internet: Internet, channel: str
) -> None:
    listed = {ISRC: ["v" * 11], "deadmau5 Strobe": ["v" * 11]}
    server = internet(SearchPages([pages.renderer(Video("v" * 11, "Strobe", channel))], listed))
    videos, by_isrc, by_names = search(settings, BOTH)
    assert not videos[0].has_isrc and videos[0].is_song == (True if "Topic" in channel else None)
    assert [(one.source_id, one.has_isrc, one.is_song, one.duration_s) for one in by_isrc] == [
        ("v" * 11, True, True, 637.0)
    ]
    assert by_names == [] and "/watch" not in server.paths


def test_what_could_not_be_had_is_not_asked_for_again(settings: Settings, internet: Internet) -> None:
    gone = Page("a" * 11, playability={"status": "ERROR", "reason": "Video unavailable"})
    server = internet(SearchPages([], {ISRC: [gone.id], "deadmau5 Strobe": song_ids("ab")}, [gone, *songs("b")]))
    assert [ids(found) for found in search(settings, BOTH)] == [[], [], ["b" * 11]]
    assert server.paths.count("/watch") == 2


# -- what is searched for ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("track", "queries"),
    [
        (ListedTrack("Strobe", ()), [(WWW, "Strobe"), (MUSIC, "Strobe")]),
        (ListedTrack("S", ("a", "b", "c", "d")), [(WWW, "a b c S"), (MUSIC, "a b c S")]),
        (ListedTrack("", (), isrc=ISRC), [(MUSIC, ISRC)]),
        (ListedTrack("x&sp=EgIQAw==#albums", ()), [(WWW, "x&sp=EgIQAw==#albums"), (MUSIC, "x&sp=EgIQAw==#albums")]),
        (ListedTrack("https://www.youtube.com/watch?v=aaaaaaaaaaa", ()),
         [(WWW, "https://www.youtube.com/watch?v=aaaaaaaaaaa"), (MUSIC, "https://www.youtube.com/watch?v=aaaaaaaaaaa")]),
        (ListedTrack("file:///etc/passwd", ("ytsearchall",)),
         [(WWW, "ytsearchall file:///etc/passwd"), (MUSIC, "ytsearchall file:///etc/passwd")]),
        (ListedTrack("A-ha - (-x) --y |z", ()), [(WWW, "A-ha (-x) y z"), (MUSIC, "A-ha (-x) y z")]),
    ],
    ids=["no artist", "many artists", "only an ISRC", "a filter", "an address", "a file", "operators"],
)  # fmt: skip
def test_names_are_only_ever_words(
    settings: Settings, internet: Internet, track: ListedTrack, queries: list[tuple[str, str]]
) -> None:
    youtube = SearchPages()
    server = internet(youtube)
    assert search(settings, track) == [[] for _ in queries]
    assert youtube.queries == queries
    assert set(asked_of(server)) <= {(WWW, "/youtubei/v1/search"), (MUSIC, "/youtubei/v1/search")}
    assert all(len(query) <= searching.MAX_QUERY for _, query in youtube.queries)


# -- refusals and faults -----------------------------------------------------------------------------------------------

BOT = {"status": "LOGIN_REQUIRED", "reason": "Sign in to confirm you’re not a bot"}
HOUR = {"status": "UNPLAYABLE", "reason": "This content isn't available, try again later."}
ABROAD = {
    "status": "UNPLAYABLE",
    "reason": "Video unavailable",
    "errorScreen": {
        "playerErrorMessageRenderer": {
            "subreason": {"simpleText": "The uploader has not made this video available in your country"}
        }
    },
}


@pytest.mark.parametrize(
    "playability",
    [
        {"status": "ERROR", "reason": "Video unavailable"},
        {"status": "LOGIN_REQUIRED", "reason": "Private video. Sign in if you've been granted access to this video"},
        {"status": "AGE_VERIFICATION_REQUIRED", "reason": "Sign in to confirm your age"},
        {"status": "UNPLAYABLE", "reason": "Join this channel to get access to members-only content like this video"},
        {"status": "LIVE_STREAM_OFFLINE", "reason": "Premieres in 3 days"},
        ABROAD,
    ],
    ids=["gone", "private", "age", "members", "premiere", "abroad"],
)
@pytest.mark.parametrize("details", [{}, {"isPrivate": False}], ids=["nothing else", "with length and title"])
def test_one_video_that_is_refused_does_not_hide_the_next(
    settings: Settings, internet: Internet, playability: Mapping[str, Any], details: Mapping[str, Any]
) -> None:
    refused = Page("a" * 11, playability=playability, details=details)
    server = internet(SearchPages([], {"deadmau5 Strobe": song_ids("ab")}, [refused, *songs("b")]))
    assert ids(search(settings, NAMES)[1]) == ["b" * 11]
    assert server.paths.count("/watch") == 2


@pytest.mark.parametrize(
    ("answer", "reason", "wait_s", "n_asked"),
    [
        (pages.watch_page(Page("a" * 11, playability=BOT)), "bot check", None, 1),
        (pages.watch_page(Page("a" * 11, playability=BOT, details={"isPrivate": False})), "bot check", None, 1),
        (pages.watch_page(Page("a" * 11, playability=HOUR)), "rate limit", None, 1),
        (Answer(b"", 429, {"Retry-After": "77"}), "rate limit", 77.0, 1),
        (Answer(b"", 429), "rate limit", None, 1),
        (Answer(b"", 503, {"Retry-After": "5"}), "rate limit", 5.0, 1),
        (Answer(b"", 500), "network", None, 4),
        (Answer(cut=True), "network", None, 4),
        (Answer(b"", 403), "refused", None, 2),
        (Answer(b"<html>what?</html>"), "outdated yt-dlp", None, 2),
        (Answer(b"\x00\xff" * 100), "outdated yt-dlp", None, 2),
    ],
    ids=["bot", "bot, but told", "an hour", "429 for", "429", "503 for", "500", "hang-up", "403", "garbage", "bytes"],
)
def test_a_page_that_tells_what_keeps_all_pages_away(
    settings: Settings, internet: Internet, answer: Answer, reason: str, wait_s: float | None, n_asked: int
) -> None:
    instead = {"/watch": answer, "/youtubei/v1/player": answer}
    server = internet(SearchPages([], {"deadmau5 Strobe": song_ids("abc")}, songs("abc"), instead))
    stages = TrackSearch(settings).stages(NAMES)
    assert next(stages) == []
    with pytest.raises(NotFetched) as told:
        next(stages)
    assert (told.value.reason, told.value.retry_after_s) == (reason, wait_s)
    assert len(server.asked) == 2 + n_asked, "the next song is not asked for"
    assert Pause(settings.answers / "youtube.pause.json", "YouTube").until() is None, "who called notes it"


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"contents": {}}', b'{"error": {"message": "x"}}'])
def test_an_answer_without_a_list_is_not_taken_for_nothing_found(
    settings: Settings, internet: Internet, body: bytes
) -> None:
    server = internet(lambda _: Answer(body))
    with pytest.raises(NotFetched) as told:
        search(settings, NAMES)
    assert told.value.reason == "unexpected" and len(server.asked) == 2, "it is asked again once"
    internet(SearchPages())
    assert search(settings, NAMES) == [[], []], "but nothing may be found"


@pytest.mark.parametrize("path", ["/youtubei/v1/search", "/watch"])
def test_nobody_is_asked_whom_an_answer_names(settings: Settings, internet: Internet, path: str) -> None:
    here = Answer(b"", 302, {"Location": "http://127.0.0.1/x"})
    server = internet(SearchPages([], {"deadmau5 Strobe": song_ids("a")}, songs("a"), {path: here}))
    with pytest.raises(NotFetched) as told:
        search(settings, NAMES)
    assert told.value.reason == "not allowed" and {one.host.split(":")[0] for one in server.asked} <= {WWW, MUSIC}


def test_a_pause_that_is_noted_meanwhile_ends_the_search(settings: Settings, internet: Internet) -> None:
    pause = Pause(settings.answers / "youtube.pause.json", "YouTube")
    youtube = SearchPages([], {"deadmau5 Strobe": song_ids("ab")}, songs("ab"))

    def answer(asked: Asked) -> Answer:
        if asked.path == "/watch":
            pause.begin(60.0)
        return youtube(asked)

    server = internet(answer)
    with pytest.raises(RateLimited):
        search(settings, NAMES)
    assert server.paths == ["/youtubei/v1/search", "/youtubei/v1/search", "/watch"]
