"""yt-dlp for one song: with one site's reader, behind a guard, and with our names for its files."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from yt_dlp import YoutubeDL
from yt_dlp.networking.exceptions import HTTPError, NoSupportingHandlers, RequestError
from yt_dlp.postprocessor.ffmpeg import FFmpegPostProcessor

from core.collecting.failures import NotFetched
from core.collecting.guard import Guard, GuardedRH
from core.collecting.places import Place
from core.collecting.yt_errors import of_status
from core.reach import AllowedHost


@contextmanager
def reader(
    place: Place,
    allowed: tuple[AllowedHost, ...],
    options: dict[str, Any],
    path: Callable[[], str],
    look_at_answer: Callable[[Any], None],
) -> Iterator["Reader"]:
    """yt-dlp, told where its file lies (`path`); the headers of each answer are shown to `look_at_answer`."""
    guard = Guard(allowed, is_site=bool(place.extractors))
    # ffmpeg would ask for sound itself, past the guard. yt-dlp looks for it here too, not only in its option.
    before = FFmpegPostProcessor._ffmpeg_location.set(_NOWHERE)
    try:
        with Reader(
            {**options, "logger": Silence(), "ffmpeg_location": _NOWHERE}, place, guard, path, look_at_answer
        ) as made:
            yield made
    finally:
        FFmpegPostProcessor._ffmpeg_location.reset(before)


class Reader(YoutubeDL):  # type: ignore[misc]  # it has no types
    """yt-dlp that asks whom the guard lets it, and writes where it is told.

    `failed` is what became of the last request, if it failed: yt-dlp swallows that where it tries something else, and in
    the end says only that it found nothing.
    """

    def __init__(
        self,
        options: dict[str, Any],
        place: Place,
        guard: Guard,
        path: Callable[[], str],
        look_at_answer: Callable[[Any], None],
    ) -> None:
        self._place = place
        self._guard = guard
        self._path = path
        self._look_at_answer = look_at_answer
        self.failed: RequestError | None = None
        super().__init__(options, auto_init=bool(place.extractors))  # without, it knows no site at all

    def build_request_director(self, handlers: Any, preferences: Any = None) -> Any:
        """One way out, instead of the several that yt-dlp knows."""
        return super().build_request_director([partial(GuardedRH, self._guard)], preferences)

    def prepare_filename(self, info_dict: Any, dir_type: str = "", *, outtmpl: Any = None, warn: bool = False) -> str:
        """Where the sound goes."""
        return self._path()

    def urlopen(self, req: Any) -> Any:
        """The answer to a request. A pause that is asked for ends it all at once: nothing is asked again, or slept through."""
        try:
            answer = super().urlopen(req)
            self.failed = None
        except NoSupportingHandlers as error:  # what is no error of yt-dlp's own comes wrapped so
            raise next((one for one in error.unexpected_errors if isinstance(one, NotFetched)), error) from error
        except HTTPError as error:
            self.failed = error
            told = of_status(error.status, error.response.headers.get("Retry-After", ""), self._place.title)
            if told and told.reason == "rate limit":
                raise told from error
            raise
        except RequestError as error:
            self.failed = error
            raise
        self._look_at_answer(answer.headers)
        return answer


_NOWHERE = "/nowhere"


class Silence:
    """Nothing is printed: what matters comes as an error."""

    def debug(self, text: str) -> None:
        """Say nothing."""

    warning = error = info = debug
