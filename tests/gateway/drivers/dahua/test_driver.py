"""The conversation with a Dahua terminal, over real sockets and a real digest login."""

from datetime import timedelta

from shared.punch import Direction, Method
from tests.gateway.drivers.dahua.site import AT, Site


async def test_the_log_becomes_punches(site: Site) -> None:
    site.device.punch("1000", AT)
    site.device.punch("1000", AT + timedelta(seconds=2), status=0, error=16)
    await site.start()
    assert await site.users(1) == ["1000"]
    site.device.punch("1001", AT + timedelta(seconds=5), way="Exit")
    assert await site.users(2) == ["1000", "1001"]
    assert [(p.direction, p.method) for p in site.sink.punches] == [
        (Direction.IN, Method.FACE),
        (Direction.OUT, Method.FACE),
    ]
