"""docs/demo.md tells the truth: settings and what they come as, targets, the image's commands."""

import re
from pathlib import Path

import pytest

from core.settings import Settings

PROJECT = Path(__file__).resolve().parents[1]
GUIDE = (PROJECT / "docs" / "demo.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `GENRESCOPE_(\w+)` \| ([\d.]+) \|", GUIDE, re.MULTILINE)


@pytest.mark.parametrize(("name", "value"), ROWS)
def test_a_limit_is_what_the_guide_says(name: str, value: str) -> None:
    assert Settings.model_fields[name.lower()].default == float(value)


def test_every_limit_of_guests_is_in_the_guide() -> None:
    limits = {name for name in Settings.model_fields if name.startswith("guest_")} - {"guest_model"}
    assert {name.lower() for name, _ in ROWS} == limits
    for name in re.findall(r"GENRESCOPE_(\w+)", GUIDE):
        assert name.lower() in Settings.model_fields


def test_its_commands_are_real() -> None:
    makefile = (PROJECT / "Makefile").read_text()
    assert set(re.findall(r"    make ([a-z]+)", GUIDE)) == {"demo"} and "\ndemo: " in makefile
    assert all(f"{name} ?=" in makefile for name in ("HOST", "PORT"))
    assert f"FLAVOUR={re.findall('FLAVOUR=([a-z]+)', GUIDE)[0]}" == "FLAVOUR=full"
