"""The emulated reader is one to sllurp's own client, which knows nothing of us."""

import asyncio

import pytest

from emulators.llrp import LlrpReader, Seen
from tests.support.recording_sink import until

llrp = pytest.importorskip("sllurp.llrp")
EPC = "3035a537c8377540000003e9"


async def test_sllurp_sets_it_up_and_gets_its_tags() -> None:
    reader = LlrpReader()
    await reader.start()
    seen: list[dict[str, object]] = []
    config = llrp.LLRPReaderConfig({"antennas": [1, 2], "tag_content_selector": {"EnableAntennaID": True}})
    client = llrp.LLRPReaderClient("127.0.0.1", reader.port, config)
    client.add_tag_report_callback(lambda _, tags: seen.extend(tags))
    await asyncio.to_thread(client.connect)
    async with asyncio.timeout(20):
        await reader.see([Seen(EPC, 2, 1_795_395_541_000_000, -47, 3)])
    await until(lambda: bool(seen))
    await asyncio.to_thread(client.disconnect, 5)
    await reader.stop()
    (tag,) = seen
    assert tag["EPC-96"] == EPC.encode()
    assert (tag["AntennaID"], tag["PeakRSSI"], tag["TagSeenCount"]) == (2, -47, 3)
    assert tag["FirstSeenTimestampUTC"] == 1_795_395_541_000_000
    assert client.llrp.capabilities["GeneralDeviceCapabilities"]["MaxNumberOfAntennaSupported"] == 4
    assert reader.emitted == 1


async def test_a_second_client_is_refused() -> None:
    reader = LlrpReader()
    await reader.start()
    first, writer = await asyncio.open_connection("127.0.0.1", reader.port)
    await first.readexactly(10)
    second, other = await asyncio.open_connection("127.0.0.1", reader.port)
    greeting = await second.read()
    message = llrp.LLRPMessage(msgbytes=greeting)
    assert not message.isSuccess()
    writer.close()
    other.close()
    await reader.stop()
