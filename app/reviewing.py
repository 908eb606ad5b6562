"""Doubtful matches, one at a time: hear what was found beside what is wanted, and decide with a key."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from app import session, sounds, state, ui
from core.collecting.matching import WEIGHTS
from core.collecting.places import place_of
from core.errors import LibraryError
from core.jobs import kinds
from core.jobs.queue import Job
from core.library.candidates import Found, Sound
from core.library.reviews import Review

SHOWN = 9  # other candidates: those that have a key
NEEDED = ("title", "artist", "length")  # reasons that a match should have


def section(waiting: list[int]) -> None:
    """One doubtful track: it stays until it is settled or put off, whatever jobs come to meanwhile."""
    fetching = len(state.collection().wanted(wished_only=True))
    if not waiting:
        if fetching:
            wait_for_one(fetching)
        else:
            st.info(
                "Nothing is doubtful. A match that is neither sure nor hopeless comes here, to be settled by ear.",
                icon=":material/check:",
            )
        ui.undo_button(shortcut="z")
        return
    if state.get(state.REVIEWED) not in waiting:
        state.put(state.REVIEWED, waiting[0])
    place = waiting.index(state.get(state.REVIEWED))
    review = state.reviews().review(waiting[place])
    if review is None or not review.found:  # settled in another window just now
        st.info("This one was settled elsewhere. Load the page again.")
        return
    told = f" {ui.counted(fetching, 'other')} being fetched." if fetching else ""
    st.caption(f"{place + 1:,} of {len(waiting):,}.{told} Each button names its key.")
    left, right = st.columns(2)
    with left.container(border=True, height="stretch"):
        wanted(review)
    with right.container(border=True, height="stretch"):
        candidate(review, review.found[0])
    decide(review, after=waiting[(place + 1) % len(waiting)])
    if len(review.found) > 1:
        st.markdown("**Or is it one of these?**")
        choices(review.track_id, review.track.duration_s, review.found[1:])
    paste_link(review.track_id, label="Or paste the link of the right one")


def wait_for_one(fetching: int) -> None:
    """Nothing can be heard yet; the page runs anew when something can."""
    if not _is_collecting():
        st.info(
            f"{ui.counted(fetching, 'song')} you wanted to hear or to take: not fetched yet.", icon=":material/pause:"
        )
        if st.button("Fetch now", type="primary", icon=":material/download:"):
            see_to_choices()
            st.rerun()
        return

    @st.fragment(run_every=1.0)
    def look() -> None:
        done = state.collection().to_review() or not state.collection().wanted(wished_only=True)
        if done or not _is_collecting():
            st.rerun()
        st.info(f"{ui.counted(fetching, 'song')} being fetched …", icon=":material/downloading:")

    look()


def wanted(review: Review) -> None:
    """What is looked for."""
    track = review.track
    st.caption("Wanted")
    st.markdown(f"**{ui.plain(track.title)}**")
    st.markdown(ui.plain(", ".join(track.artists)) or "(artist unknown)")
    st.markdown(f"{ui.clock(track.duration_s)} · {ui.plain(track.album) or 'no album told'}")
    for row in state.library().tracks(state.RECIPE.fingerprint, track_id=review.track_id):
        st.caption(ui.plain(ui.label_in_words(row.label)) or "no genre yet")


def candidate(review: Review, found: Found) -> None:
    """What was found, with its sound and what its score is made of."""
    one = found.candidate
    st.caption("Found" if found.score is None else f"Found, {_sure(found.score)}")
    st.markdown(f"**{ui.plain(one.title) or 'A link that was pasted'}**")
    st.markdown(ui.plain(one.channel or ", ".join(one.artists)) or "(nobody told)")
    length = found.sound.duration_s if found.sound else one.duration_s
    st.markdown(f"{ui.clock(length)}{_apart(review.track.duration_s, length)}")
    st.link_button("Open its page", one.url, icon=":material/open_in_new:", type="tertiary")
    if found.reasons:
        st.caption(_reasons(found.reasons))
    if found.state == "failed":
        st.warning(ui.plain(found.message), icon=":material/error:")
    elif found.sound:
        play(found.sound)
    else:
        st.caption("Its sound is not here yet: press *Hear it*.")


def play(sound: Sound) -> None:
    """The sound of a candidate; it begins by itself, and a key stops it (not the space bar, which presses what has the focus)."""
    is_on = not state.get(state.SILENT, False)
    if is_on and Path(sound.path).exists():
        with ui.told_errors():
            sounds.file_player(Path(sound.path), key="candidate", sha256=sound.sha256, autoplay=True)
    st.button(
        "Stop" if is_on else "Play",
        icon=":material/stop:" if is_on else ":material/play_arrow:",
        shortcut="p",
        on_click=state.put,
        args=(state.SILENT, is_on),
        type="tertiary",
    )


def decide(review: Review, *, after: int) -> None:
    """Yes, no, none of these, later, back."""
    front, reviews = review.found[0], state.reviews()
    url, track_id = front.candidate.url, review.track_id
    with st.container(horizontal=True):
        if front.sound is None and st.button("Hear it", icon=":material/hearing:", shortcut="h", type="primary"):
            settle(track_id, lambda: reviews.hear(track_id, url))
        told = "It is the one" if front.sound else "Take it unheard"
        if st.button(told, icon=":material/check:", shortcut="a", type="primary" if front.sound else "secondary"):
            settle(track_id, lambda: reviews.accept(track_id, url))
        if st.button("Not this one", icon=":material/close:", shortcut="x"):
            settle(track_id, lambda: reviews.reject(track_id, [url]))
        if st.button("None of these", icon=":material/block:", shortcut="n"):
            settle(track_id, lambda: reviews.reject(track_id, [one.candidate.url for one in review.found]))
        if after != track_id:
            st.button(
                "Later",
                icon=":material/skip_next:",
                shortcut="right",
                on_click=state.put,
                args=(state.REVIEWED, after),
            )
        ui.undo_button(shortcut="z")


def choices(track_id: int, listed_s: float | None, found: Sequence[Found]) -> None:
    """Candidates, each with a key that puts it in front, to be heard."""
    for key, one in enumerate(found[:SHOWN], start=1):
        candidate = one.candidate
        left, right = st.columns([1, 6], vertical_alignment="center")
        if left.button("Hear", key=f"other-{key}", shortcut=str(key), width="stretch"):
            told = "" if one.sound else "It is being fetched, and comes under Review, to be heard."
            settle(track_id, partial(state.reviews().hear, track_id, candidate.url), told)
        by = candidate.channel or ", ".join(candidate.artists)
        parts = [
            candidate.title or candidate.url,
            by,
            f"{ui.clock(candidate.duration_s)}{_apart(listed_s, candidate.duration_s)}",
        ]
        parts += [_sure(one.score)] * (one.score is not None) + [one.message] * (one.state == "failed")
        right.markdown(" · ".join(ui.plain(part) for part in parts if part))


def paste_link(track_id: int, *, label: str) -> None:
    """A form for the address of a track's sound, which is then fetched and taken."""
    with st.form(f"paste-{track_id}", border=False):
        left, right = st.columns([4, 1], vertical_alignment="bottom")
        url = left.text_input(label, placeholder="https://www.youtube.com/watch?v=…")
        if right.form_submit_button("Take it", icon=":material/link:", width="stretch"):
            with ui.told_errors():
                place = place_of(url.strip(), state.settings())
                if place is None:
                    raise LibraryError(
                        "Songs are not fetched from this address. It must be that of one song on YouTube, SoundCloud, "
                        "Bandcamp, Jamendo, Audius or archive.org, or at a host in GENRESCOPE_ALLOWED_HOSTS."
                    )
                settle(track_id, lambda: state.reviews().paste(track_id, place.address), "It will be fetched next.")


def settle(track_id: int, deed: Callable[[], object], told: str = "") -> None:
    """Do what a person decided for a track and what that takes, and show the page anew; a refusal is told instead."""

    def action() -> None:
        deed()
        state.decided(track_id)
        accepted = {one for one, _, _ in state.collection().unfinished(state.RECIPE.fingerprint)}
        is_wanted = state.collection().wanted(track_ids=[track_id], wished_only=True)
        if is_wanted or (track_id in accepted and not paused()):  # a paused run completes it when it goes on
            see_to_choices()

    ui.do(action, told)


def see_to_choices() -> None:
    """Fetch what a person wants, and make spectrograms of what was accepted; a run that goes on does so by itself."""
    if not _is_collecting():
        collect(track_ids=[one.track_id for one in state.collection().wanted(wished_only=True)])


def collect(**options: object) -> None:
    """Begin a run of collecting; how songs are fetched and kept is as in the run before, unless told otherwise."""
    state.begin(kinds.submit_collect(state.queue(), **(last_choices() | options)))


def paused() -> Job | None:
    """The run that a person has paused, and not cancelled."""
    job = state.queue().latest("collect")
    return job if job and job.state == "stopped" and job.id not in state.get(session.DISMISSED, ()) else None


def last_choices() -> dict[str, Any]:
    """How the songs of the latest run are fetched and kept, as far as that was told."""
    last = state.queue().latest("collect")
    return {name: last.parameters[name] for name in ("at_once", "keep_sound") if last and name in last.parameters}


def _is_collecting() -> bool:
    return bool(state.queue().unfinished(lane="collect"))


def _reasons(reasons: Mapping[str, float]) -> str:
    """What a score is made of, in hundredths: what should speak for it, also where it does not, then all else."""
    needed = [_needed(name, 100 * reasons.get(name, 0.0), 100 * WEIGHTS[name]) for name in NEEDED]
    rest = sorted(((100 * value, name) for name, value in reasons.items() if name not in NEEDED), reverse=True)
    return " · ".join([*needed, *(f"{ui.plain(name)} {points:+.0f}" for points, name in rest)])


def _needed(name: str, points: float, most: float) -> str:
    """A reason that a match should have, ticked if all of it is there."""
    icon = ":green[:material/check:]" if round(points) >= round(most) else ":orange[:material/close:]"
    return f"{icon} {name} {points:.0f} of {most:.0f}"


def _sure(score: float | None) -> str:
    return f"{min(max(score or 0.0, 0.0), 1.0):.0%} sure"


def _apart(listed_s: float | None, length_s: float | None) -> str:
    """By how much a length is off."""
    if length_s is None or listed_s is None:
        return ""
    apart_s = round(length_s - listed_s)
    return f" ({apart_s:+d} s)" if apart_s else " (the same)"
