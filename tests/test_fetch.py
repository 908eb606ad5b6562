import gzip
import json
import threading
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from core import fetch
from core.errors import RateLimited, SourceError
from core.fetch import Client, NotFound
from core.settings import Settings
from tests.loopback import Answer, Asked, Loopback, as_json, serving

MakeClient = Callable[..., Client]


def echo(asked: Asked) -> Answer:
    return as_json({"path": asked.path, "query": asked.query})


@pytest.fixture
def client_of(settings: Settings) -> Iterator[MakeClient]:
    """Clients of this workspace, for a server; quick unless told otherwise."""
    made = []

    def make(
        server: Loopback, *, below: str = "", requests_per: tuple[int, float] = (1000, 1.0), keep_s: float = 0
    ) -> Client:
        client = Client(
            server.url + below,
            title="The Service",
            settings=settings,
            requests_per=requests_per,
            keep_s=keep_s,
            user_agent="Genrescope/1 ( me@example.org )",
        )
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_BACKOFF_S", 0.01)


def test_a_request_says_who_asks_and_keeps_its_words_apart(client_of: MakeClient) -> None:
    with serving(echo) as server:
        answer = client_of(server, below="/v2/").json("/list/a b?c#d/é", {"q": "rock & roll=1", "n": 3})
    assert answer == {"path": "/v2/list/a%20b%3Fc%23d/%C3%A9", "query": {"q": "rock & roll=1", "n": "3"}}
    assert server.asked[0].headers["User-Agent"] == "Genrescope/1 ( me@example.org )"


# -- the pinned address ------------------------------------------------------------------------------------------------


def test_a_redirect_to_another_place_is_not_followed(client_of: MakeClient) -> None:
    with serving(echo) as elsewhere:
        port = elsewhere.server.server_port
        for place in (
            f"http://127.0.0.1:{port}/x",
            f"http://localhost:{port}/x",
            f"https://127.0.0.1:{port}/x",
            f"//127.0.0.1:{port}/x",
            "file:///etc/passwd",
            "http://[nonsense/x",
        ):
            with serving(lambda _, place=place: Answer(b"", 302, {"Location": place})) as server:
                with pytest.raises(SourceError):
                    client_of(server).json("x")
                assert len(server.asked) == 1, place
        assert elsewhere.asked == []


def test_a_redirect_that_only_looks_like_the_address_is_not_followed(client_of: MakeClient) -> None:
    with serving(lambda asked: Answer(b"", 302, {"Location": f"{server.url}@127.0.0.2:1/x"})) as server:
        with pytest.raises(SourceError, match="another address"):
            client_of(server).json("x")
        assert len(server.asked) == 1


def test_a_redirect_within_the_service_is_followed_but_not_for_ever(client_of: MakeClient) -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path == "/new":
            return as_json("here")
        return Answer(b"", 302, {"Location": "/new" if asked.path == "/old" else "/round"})

    with serving(answer) as server:
        assert client_of(server).json("old") == "here"
        with pytest.raises(SourceError):
            client_of(server).json("round")
        assert len(server.asked) < 10


@pytest.mark.parametrize("address", ["ftp://a.org", "a.org", "", "https://", "https://a.org/?x=1", "https://u:p@a.org"])
def test_an_address_that_is_none_is_refused_at_once(settings: Settings, address: str) -> None:
    with pytest.raises(SourceError, match="no web address"):
        Client(address, title="S", settings=settings, requests_per=(1, 1), keep_s=0, user_agent="u")


# -- answers that are not what they should be --------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe\x00", b'{"a":', b"[" * 200_000])
def test_nonsense_is_told_and_not_kept(client_of: MakeClient, body: bytes) -> None:
    with serving(lambda _: Answer(body)) as server:
        client = client_of(server, keep_s=100)
        for _ in range(2):
            with pytest.raises(SourceError, match="no JSON"):
                client.json("x")
        assert len(server.asked) == 2


@pytest.mark.parametrize("squeeze", [lambda body: (body, "identity"), lambda body: (gzip.compress(body), "gzip")])
def test_too_much_is_not_read(
    client_of: MakeClient, squeeze: Callable[[bytes], tuple[bytes, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "MAX_BYTES", 1_000_000)
    body, encoding = squeeze(json.dumps("x" * 50_000_000).encode())
    with serving(lambda _: Answer(body, headers={"Content-Encoding": encoding})) as server:
        with pytest.raises(SourceError, match="more than 1 MB"):
            client_of(server).json("x")
        assert len(server.asked) == 1


def test_a_compressed_answer_is_read_and_a_damaged_one_told(client_of: MakeClient) -> None:
    good = zlib.compress(b'"long"' + b" " * 100_000)

    def answer(asked: Asked) -> Answer:
        return Answer(good if asked.path == "/good" else b"not gzip at all", headers={"Content-Encoding": "deflate"})

    with serving(answer) as server:
        assert client_of(server).json("good") == "long"
        with pytest.raises(SourceError, match="damaged"):
            client_of(server).json("bad")


def test_a_server_that_is_silent_or_sends_drops_is_given_up(
    client_of: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT_S", (1.0, 0.3))
    monkeypatch.setattr(fetch, "MAX_ANSWER_S", 0.5)
    for pause_s in (5.0, 0.1):
        with (
            serving(lambda _, pause_s=pause_s: Answer((b" ",) * 60, pause_s=pause_s)) as server,
            pytest.raises(SourceError, match="in time"),
        ):
            client_of(server).json("x")


def test_nobody_there(client_of: MakeClient) -> None:
    with serving(echo) as server:
        client = client_of(server)
    with pytest.raises(SourceError, match="could not be reached"):
        client.json("x")


@pytest.mark.parametrize("fault", [Answer(cut=True), *(Answer(b"", status) for status in (500, 502, 503, 504))])
def test_what_passes_is_tried_again_and_what_stays_is_told(client_of: MakeClient, fault: Answer) -> None:
    with serving(lambda _: fault if len(server.asked) < 3 else as_json("well")) as server:
        assert client_of(server).json("x") == "well"
        assert len(server.asked) == 3
    with serving(lambda _: fault) as server:
        with pytest.raises(SourceError):
            client_of(server).json("x")
        assert len(server.asked) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 418, 505])
def test_a_refusal_is_not_tried_again(client_of: MakeClient, status: int) -> None:
    with serving(lambda _: Answer(b"{}", status)) as server:
        with pytest.raises(SourceError, match=str(status)):
            client_of(server).json("x")
        assert len(server.asked) == 1


# -- kept answers ------------------------------------------------------------------------------------------------------


def test_an_answer_is_kept_on_disk_by_path_and_question(client_of: MakeClient) -> None:
    with serving(echo) as server:
        for _ in range(2):
            client = client_of(server, keep_s=100)
            for path, query in (("a", {"q": "1"}), ("a", {"q": "2"}), ("b", {"q": "1"})):
                assert client.json(path, query) == {"path": f"/{path}", "query": query}
        assert len(server.asked) == 3


def test_what_is_not_there_is_kept_and_errors_are_not(client_of: MakeClient) -> None:
    with serving(lambda asked: as_json({}, int(asked.path[1:]))) as server:
        client = client_of(server, keep_s=100)
        for status in (404, 403, 404, 403):
            with pytest.raises(NotFound if status == 404 else SourceError):
                client.json(str(status))
        assert server.paths == ["/404", "/403", "/403"]


def test_keeping_nothing_asks_each_time(client_of: MakeClient) -> None:
    with serving(lambda _: as_json("x", ETag='"1"')) as server:
        client = client_of(server, keep_s=0)
        assert [client.json("a"), client.json("a")] == ["x", "x"]
        assert len(server.asked) == 2


def test_nothing_kept_is_a_pickle(client_of: MakeClient, settings: Settings) -> None:
    with serving(echo) as server:
        client = client_of(server, keep_s=100)
        client.json("a")
        for response in client._session.cache.responses.values():
            assert response.json()["path"] == "/a"
        for store in (client._session.cache.responses, client._session.cache.redirects):
            assert store.serializer is None or store.serializer.name == "json"
    assert b'"status_code": 200' in next(settings.answers.glob("*[0-9].sqlite")).read_bytes()


def test_a_damaged_file_of_answers_is_begun_anew(client_of: MakeClient, settings: Settings) -> None:
    with serving(echo) as server:
        client_of(server, keep_s=100).json("a")
        for path in settings.answers.glob("*.sqlite"):
            path.write_bytes(b"what the disk left of it")
        for path in settings.answers.glob("*.sqlite-*"):
            path.unlink()
        assert client_of(server, keep_s=100).json("a")
        assert len(server.asked) == 2


# -- pace and pauses ---------------------------------------------------------------------------------------------------


def test_the_pace_holds_over_clients_threads_and_tries(client_of: MakeClient) -> None:
    with serving(lambda _: Answer(b"", 500) if len(server.asked) in (2, 4) else as_json("x")) as server:

        def work() -> None:
            client_of(server, requests_per=(2, 0.4)).json("x")

        threads = [threading.Thread(target=work) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    times = [asked.at for asked in server.asked]
    assert len(times) == 7
    assert all(later - earlier > 0.35 for earlier, later in zip(times, times[2:], strict=False))


@pytest.mark.parametrize("status", [429, 503])
def test_a_pause_is_stored_for_everybody(client_of: MakeClient, settings: Settings, status: int) -> None:
    with serving(lambda asked: as_json("kept") if asked.path == "/before" else busy) as server:
        busy = Answer(b"", status, {"Retry-After": "7200"})
        client = client_of(server, keep_s=100)
        client.json("before")
        with pytest.raises(RateLimited, match="The Service") as told:
            client.json("x")
        in_two_hours = datetime.now(UTC) + timedelta(hours=2)
        assert abs(told.value.retry_at - in_two_hours) < timedelta(minutes=1)
        other = client_of(server, keep_s=100)
        with pytest.raises(RateLimited) as again:
            other.json("y")
        assert again.value.retry_at == told.value.retry_at
        assert other.json("before") == "kept", "kept answers need no request"
        assert server.paths == ["/before", "/x"]


def test_a_pause_ends(client_of: MakeClient, settings: Settings) -> None:
    with serving(echo) as server:
        client = client_of(server)
        raise_it = client.pause(3600)
        with pytest.raises(RateLimited):
            client.json("x")
        assert raise_it.retry_at > datetime.now(UTC)
        note = next(settings.answers.glob("*.pause.json"))
        note.write_text(json.dumps({"retry_at": (datetime.now(UTC) - timedelta(seconds=1)).isoformat()}))
        assert client.json("x")
        for damaged in ("", "[]", '{"retry_at": 3}', '{"retry_at": "soon"}', '{"retry_at": "2999-01-01"}'):
            note.write_text(damaged)
            assert client.json("x")


@pytest.mark.parametrize(
    ("header", "expected_s"),
    [
        ("120", 120),
        ("a date", 600),
        ("soon", fetch.DEFAULT_PAUSE_S),
        ("", fetch.DEFAULT_PAUSE_S),
        ("-5", fetch.DEFAULT_PAUSE_S),
        ("nan", fetch.DEFAULT_PAUSE_S),
        ("1e300", fetch.DEFAULT_PAUSE_S),
        ("9" * 40, fetch.MAX_PAUSE_S),
    ],
)
def test_any_way_to_name_a_pause(client_of: MakeClient, header: str, expected_s: float) -> None:
    if header == "a date":
        header = format_datetime(datetime.now(UTC) + timedelta(seconds=expected_s), usegmt=True)
    with (
        serving(lambda _: Answer(b"", 429, {"Retry-After": header})) as server,
        pytest.raises(RateLimited) as told,
    ):
        client_of(server).json("x")
    assert (told.value.retry_at - datetime.now(UTC)).total_seconds() == pytest.approx(expected_s, abs=30)
