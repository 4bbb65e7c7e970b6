"""The pytest plugin: comes with the package, and does nothing until a test asks for ``naq_broker``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from naq_runtime.testing import MemoryBroker


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", "naq(config=None, modules=(), allow=(), inline=False): how naq_broker is made; see MemoryBroker"
    )


@pytest.fixture
def naq_broker(request: pytest.FixtureRequest) -> Iterator[MemoryBroker]:
    """A `MemoryBroker` in place of the server, as ``@pytest.mark.naq(…)`` says."""
    from naq_runtime.testing import MemoryBroker  # here, so that it costs nothing where it is not used

    marker = request.node.get_closest_marker("naq")
    with MemoryBroker(*(marker.args if marker else ()), **(marker.kwargs if marker else {})) as broker:
        yield broker
