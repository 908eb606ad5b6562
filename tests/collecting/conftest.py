from tests.sources.conftest import certificate, internet  # noqa: F401
