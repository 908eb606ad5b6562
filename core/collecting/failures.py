"""Why a song's sound could not be had: every reason by its name, what to do about it, and whether time may mend it."""

from dataclasses import dataclass
from typing import Literal, get_args

from core.errors import SourceError

Reason = Literal[
    "gone",
    "refused",
    "geo",
    "age",
    "bot check",
    "rate limit",
    "network",
    "stuck",
    "no match",
    "rejected",
    "not allowed",
    "too long",
    "wrong length",
    "wrong format",
    "damaged",
    "silent",
    "same sound",
    "missing JavaScript runtime",
    "outdated yt-dlp",
    "unexpected",
]
REASONS: tuple[Reason, ...] = get_args(Reason)


@dataclass(frozen=True)
class Remedy:
    """What a reason means to a person, and what to do.

    `passes`: the same may work later, so it is tried again by itself. `pauses_host`: nothing else is asked of the host
    until then. `is_ours`: this machine lacks something, so that trying another candidate is of no use either.
    """

    meaning: str
    what_to_do: str
    passes: bool = False
    pauses_host: bool = False
    is_ours: bool = False


REMEDIES: dict[Reason, Remedy] = {
    "gone": Remedy("It was deleted, or made private.", "Choose another candidate, or paste a link."),
    "refused": Remedy(
        "The site refuses to hand it out (HTTP 403, or only to who is signed in).",
        "Try again later, choose another candidate, or paste a link.",
        passes=True,
    ),
    "geo": Remedy("The site does not give it in your country.", "Choose another candidate, or paste a link."),
    "age": Remedy("The site shows it only to adults who are signed in.", "Choose another candidate, or paste a link."),
    "bot check": Remedy(
        "The site wants proof that a person is asking.",
        "It is asked again after a pause. If it goes on, wait a day, and collect fewer at once.",
        passes=True,
        pauses_host=True,
    ),
    "rate limit": Remedy(
        "The site was asked too often, and wants a pause.",
        "Nothing: it is asked again when the pause is over.",
        passes=True,
        pauses_host=True,
    ),
    "network": Remedy(
        "The connection failed, or the site has a problem of its own.",
        "Check the network, then retry.",
        passes=True,
    ),
    "stuck": Remedy(
        "It took longer than a song may take, and was ended.", "Retry, or paste another link.", passes=True
    ),
    "no match": Remedy(
        "Nothing that was found is surely this song.", "Paste a link, or import a folder that holds it."
    ),
    "rejected": Remedy("You have rejected what was found.", "Paste a link, or import a folder that holds it."),
    "not allowed": Remedy(
        "Its address is of a place that songs are not fetched from.",
        "If it is a collection of your own, name its host in GENRESCOPE_ALLOWED_HOSTS.",
    ),
    "too long": Remedy(
        "It is longer or larger than what is fetched: a mix or an album, perhaps.",
        "Choose another candidate, or raise GENRESCOPE_MAX_AUDIO_S.",
    ),
    "wrong length": Remedy("It is not as long as the song is: another recording.", "Choose another candidate."),
    "wrong format": Remedy("What came is no sound that can be decoded.", "Choose another candidate, or paste a link."),
    "damaged": Remedy("The sound is cut off, or damaged.", "Retry, or choose another candidate.", passes=True),
    "silent": Remedy("There is nothing to hear in it.", "Choose another candidate, or paste a link."),
    "same sound": Remedy(
        "Another track of the library has this very sound.",
        "If both are the same song, make them one under Genres, Same song twice?; else choose another candidate.",
    ),
    "missing JavaScript runtime": Remedy(
        "YouTube's pages need a JavaScript runtime to be read.", "Run `pip install deno`, then retry.", is_ours=True
    ),
    "outdated yt-dlp": Remedy(
        "The site has changed, and the yt-dlp here does not understand it.",
        "Run `pip install --upgrade yt-dlp`, then retry.",
        is_ours=True,
    ),
    "unexpected": Remedy("Something went wrong that nobody foresaw.", "Retry; if it goes on, please report it."),
}


def remedy(reason: str) -> Remedy:
    """What a reason means, as the library keeps it; one of an older version means something unexpected."""
    return {str(name): one for name, one in REMEDIES.items()}.get(reason, REMEDIES["unexpected"])


class NotFetched(SourceError):
    """A song's sound could not be had. `retry_after_s`: the pause that the host asks for, if it says."""

    def __init__(self, reason: Reason, text: str, retry_after_s: float | None = None) -> None:
        """`text` says what happened, in a sentence."""
        super().__init__(reason, text, retry_after_s)  # all of it, so that it comes whole out of another process
        self.reason = reason
        self.text = text
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        """What happened."""
        return self.text
