"""The player in a real browser: it plays, seeks, repeats and draws where it plays."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Server
from tests.browser.player_page import CHANGE_S, LENGTH_S

expect.set_options(timeout=30_000)
TOLERANCE_S = 0.05
COLUMNS = """(canvas, row) => {
    const {data} = canvas.getContext('2d').getImageData(0, Math.round(row * canvas.height), canvas.width, 1);
    return Array.from({length: canvas.width}, (_, x) => [data[4 * x], data[4 * x + 1], data[4 * x + 2], data[4 * x + 3]]);
}"""
LOW_IN_CURVES, HIGH_IN_WAVEFORM, FOOT_OF_PICTURE = 0.65, 0.08, 0.97


@pytest.fixture(scope="module")
def players(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("players"), script="tests/browser/player_page.py")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def player(page: Page, players: Server) -> Locator:
    """The first player of the page, its sound read and drawn."""
    page.set_viewport_size({"width": 1280, "height": 1200})
    page.goto(players.url)
    shown = page.locator(".player").first
    expect(shown.locator(".player-time")).to_have_text("0:00 / 0:10")
    page.wait_for_function(
        """canvas => { const {data} = canvas.getContext('2d').getImageData(0, canvas.height * 0.08, canvas.width, 1);
        return data.some(value => value) }""",
        arg=shown.locator("canvas").element_handle(),
    )
    return shown


def at_s(player: Locator) -> float:
    return float(player.locator("audio").evaluate("audio => audio.currentTime"))


def stage(player: Locator) -> Locator:
    return player.get_by_role("slider", name="Position in the song")


def changes_at(player: Locator, row: float) -> float:
    """The share of the canvas's width at which a row of it changes its colour for the first time."""
    columns = player.locator("canvas").evaluate(COLUMNS, row)
    return next(x for x, colour in enumerate(columns) if colour != columns[0]) / len(columns)


def click_at(player: Locator, share: float, *, height: float = 0.5) -> None:
    box = stage(player).bounding_box()
    assert box
    player.page.mouse.click(box["x"] + share * box["width"], box["y"] + height * box["height"])


def test_it_plays_and_the_playhead_moves(player: Locator) -> None:
    head = player.locator(".player-head")
    start = head.evaluate(
        "one => one.offsetLeft"
    )  # before it plays: afterwards the head has moved by the time it is asked
    player.get_by_role("button", name="Play", exact=True).click()
    player.page.wait_for_function("document.querySelector('audio').currentTime > 0.8")
    player.get_by_role("button", name="Pause").click()
    expect(player).to_have_attribute("data-state", "paused")
    width = stage(player).evaluate("one => one.clientWidth")
    moved_s = (head.evaluate("one => one.offsetLeft") - start) / width * LENGTH_S
    assert moved_s == pytest.approx(at_s(player), abs=TOLERANCE_S)


def test_curves_and_waveform_lie_where_the_sound_is(player: Locator) -> None:
    for row in (LOW_IN_CURVES, HIGH_IN_WAVEFORM):
        click_at(player, changes_at(player, row))
        assert at_s(player) == pytest.approx(CHANGE_S, abs=TOLERANCE_S)


def test_shares_at_the_playhead_are_told_and_names_are_text(player: Locator) -> None:
    click_at(player, 0.2)
    expect(player.locator(".player-now li")).to_have_text([re.compile("<b>silence.*100"), re.compile("tone.*0")])
    click_at(player, 0.8)
    expect(player.locator(".player-now li")).to_have_text([re.compile("<b>silence.*25"), re.compile("tone.*75")])
    expect(stage(player)).to_have_attribute("aria-valuetext", re.compile("^0:08 of 0:10, <b>silence 25"))
    assert player.locator("b").count() == 0


def test_the_keyboard_is_enough(player: Locator) -> None:
    page = player.page
    stage(player).focus()
    page.keyboard.press("ArrowRight")
    assert at_s(player) == pytest.approx(5, abs=TOLERANCE_S)
    page.keyboard.press("Shift+ArrowLeft")
    assert at_s(player) == pytest.approx(4, abs=TOLERANCE_S)
    page.keyboard.press("End")
    assert at_s(player) == pytest.approx(LENGTH_S, abs=TOLERANCE_S)
    page.keyboard.press("Home")
    assert at_s(player) == 0
    page.keyboard.press("l")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("l")
    expect(player.get_by_role("button", name="Repeating 0:00–0:01")).to_be_visible()
    page.keyboard.press("Space")
    expect(player.get_by_role("button", name="Pause")).to_be_visible()
    page.wait_for_timeout(2500)
    assert at_s(player) < 1.2, "it begins again"
    page.keyboard.press("l")
    page.wait_for_function("document.querySelector('audio').currentTime > 1.3")


def test_a_part_is_chosen_by_dragging(player: Locator) -> None:
    player.get_by_role("button", name="Repeat a part").click()
    box = stage(player).bounding_box()
    assert box
    mouse = player.page.mouse
    mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 20)
    mouse.down()
    mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 20, steps=4)
    mouse.up()
    expect(player.get_by_role("button", name="Repeating 0:03–0:06")).to_be_visible()
    assert at_s(player) == pytest.approx(3, abs=TOLERANCE_S)
    player.get_by_role("button", name="Repeating").click()
    expect(player.locator(".player-region")).to_be_hidden()


def test_it_plays_on_when_the_page_runs_anew(player: Locator) -> None:
    player.get_by_role("button", name="Play", exact=True).click()
    player.page.wait_for_function("document.querySelector('audio').currentTime > 0.3")
    player.page.get_by_role("button", name="Again").click()
    player.page.wait_for_function("document.querySelector('audio').currentTime > 1.5")


def test_one_sound_at_a_time(player: Locator) -> None:
    page = player.page
    paused = "[...document.querySelectorAll('audio')].map(audio => audio.paused)"
    own, other, streamlits = 0, 1, 3
    for begun in (own, other, streamlits, own):
        page.evaluate("number => document.querySelectorAll('audio')[number].play()", begun)
        page.wait_for_function(f"({paused}).filter(one => !one).length === 1")
        assert page.evaluate(paused).index(False) == begun


def test_a_spectrogram_stands_on_its_lowest_band(player: Locator) -> None:
    pictured = player.page.locator(".player").nth(1)
    pictured.get_by_role("button", name="Show spectrogram").click()
    expect(pictured.get_by_role("button", name="Show waveform")).to_be_visible()
    red, green, blue, _ = pictured.locator("canvas").evaluate(COLUMNS, FOOT_OF_PICTURE)[50]
    assert green > 200 and red < 60 and blue < 60


def test_what_cannot_be_played_says_so(player: Locator) -> None:
    broken = player.page.locator(".player").nth(2)
    expect(broken.get_by_role("alert")).to_contain_text("cannot play this sound")


def test_it_is_drawn_again_when_the_window_gets_narrow(player: Locator) -> None:
    player.page.set_viewport_size({"width": 420, "height": 900})
    expect(player.locator("canvas")).to_have_js_property("width", stage(player).evaluate("one => one.clientWidth"))
    click_at(player, changes_at(player, LOW_IN_CURVES))
    assert at_s(player) == pytest.approx(CHANGE_S, abs=0.1), "a pixel is 25 ms here"
