"""The conversation with a Hikvision terminal, over real sockets and a real digest login."""

from datetime import timedelta

from tests.gateway.drivers.hikvision.site import AT, Site


async def test_the_log_becomes_punches(site: Site) -> None:
    site.device.punch("1000", AT, attendance="checkIn")
    site.device.door(AT + timedelta(seconds=1))
    await site.start()
    assert await site.users(1) == ["1000"]
    site.device.punch("1001", AT + timedelta(seconds=5))
    assert await site.users(2) == ["1000", "1001"]
