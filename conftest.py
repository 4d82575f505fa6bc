"""What holds for every test of the workspace."""

import sys
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

# On a machine that does much else time says nothing about a test.
settings.register_profile("ccp", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ccp")


@pytest.fixture(autouse=True)
def _logging_as_at_the_start() -> Iterator[None]:
    """No test finds loggers as an earlier one has set them up: a logger keeps what it was first used with."""
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
        for name, module in tuple(sys.modules.items()):
            if name.startswith("ccp_") and (logger := vars(module).get("log")) is not None:
                vars(logger).pop("bind", None)
