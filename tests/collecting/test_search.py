"""The search for recordings, asked of a made-up YouTube on loopback through the real yt-dlp."""

from datetime import UTC, datetime, timedelta

import pytest

from core.collecting.failures import NotFetched
from core.collecting.search import TrackSearch
from core.errors import RateLimited
from core.fetch import Pause
from core.music import Candidate, ListedTrack
from core.settings import Settings
from tests.collecting.youtube import Recording, YouTube
from tests.loopback import Answer
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
    assert ids(videos) == ["other000000", "song0000000", "video000000"]
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
