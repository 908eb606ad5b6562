"""The same recording twice in the library, by its sound. Pure; what is alike is found by `library.likenesses`."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from core.library.store import TrackRow


@dataclass(frozen=True)
class Twins:
    """Two tracks, the lesser id first, that sound like one recording; `likeness` in [0, 1]."""

    one: TrackRow
    other: TrackRow
    likeness: float

    @property
    def ids(self) -> tuple[int, int]:
        """The ids of both."""
        return self.one.id, self.other.id


def twins(
    tracks: Sequence[TrackRow], pairs: Iterable[tuple[str, str, float]], kept_apart: Collection[tuple[int, int]]
) -> list[Twins]:
    """Pairs of tracks that are still to be decided on, the most alike first.

    `pairs`: SHA-256 of two sounds, and how alike they are. Tracks that are set aside, and pairs that a person keeps
    apart (ids, the lesser first), are left out.
    """
    by_sound = {track.sha256: track for track in tracks if track.sha256 and not track.set_aside}
    found: dict[tuple[int, int], Twins] = {}
    for one_sound, other_sound, likeness in pairs:
        one, other = by_sound.get(one_sound), by_sound.get(other_sound)
        if one is None or other is None or one.id == other.id:
            continue
        pair = Twins(one, other, likeness) if one.id < other.id else Twins(other, one, likeness)
        if pair.ids not in kept_apart and (pair.ids not in found or found[pair.ids].likeness < likeness):
            found[pair.ids] = pair
    return sorted(found.values(), key=lambda pair: (-pair.likeness, pair.ids))
