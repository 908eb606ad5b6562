"""Two runs of a page, one on the heels of the other, on a slow line: what was shown before is shown again."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server

pytestmark = pytest.mark.slow

SCRIPT = """
import time
import streamlit as st

@st.fragment(run_every=0.2)
def tick():  # as the panel of a job that is at work
    st.write(f"{time.monotonic():.1f}")

if st.button("Turn the leaf"):
    st.session_state.turned = not st.session_state.get("turned", False)
st.write("The other leaf" if st.session_state.get("turned") else "long " * 10_000)
tick()
"""
SLOW_LINE = """
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (message) { setTimeout(() => send.call(this, message), 1500); };
"""


def test_what_is_shown_again_at_once_is_sent_again(tmp_path: Path, page: Page) -> None:
    """The browser forgets large elements that a run does not show; the server must not count on them."""
    (tmp_path / "leaves.py").write_text(SCRIPT)
    server = Server(tmp_path, script=str(tmp_path / "leaves.py"))
    server.start()
    try:
        page.add_init_script(SLOW_LINE)
        page.goto(server.url)
        leaf, other = page.get_by_text("long long long"), page.get_by_text("The other leaf")
        expect(leaf).to_be_visible(timeout=30_000)
        page.wait_for_timeout(1_500)  # several ticks
        page.get_by_role("button").dblclick(delay=300)
        page.wait_for_timeout(4_000)  # both clicks have come; a busy server may have taken them for one
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(leaf.or_(other)).to_be_visible()
    finally:
        server.kill()
