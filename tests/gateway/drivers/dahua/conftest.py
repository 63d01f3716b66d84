"""A running terminal and a site around it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.gateway.drivers.dahua.site import Site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    site = Site(tmp_path)
    await site.device.start()
    yield site
    await site.stop()
    await site.device.stop()
