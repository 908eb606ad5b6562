"""A library in which sound is being collected."""

import pytest

from core.database import Database
from core.library.collection import Collection
from core.library.playlists import Playlists
from tests.lists import listed, playlist


@pytest.fixture
def collection(database: Database) -> Collection:
    """Three tracks without sound: 1 and 2 are found by search, 3 has an address."""
    tracks = [listed(1), listed(2), listed(3, url="https://youtu.be/aaaaaaaaaaa")]
    Playlists(database).take_in(playlist("one", *tracks), {"techno": 1.0})
    return Collection(database)
