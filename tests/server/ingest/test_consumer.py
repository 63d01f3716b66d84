"""The shell around the transactions: fair turns, nothing lost to a fault of the database, poison never in the way."""

import asyncio
from collections.abc import Sequence

import aiomqtt
import msgspec
import pytest

from server.config import BrokerConfig, ServerConfig
from server.ingest import consumer as consumer_module
from server.ingest.consumer import FIRST_RETRY_S, LONGEST_RETRY_S, Consumer, consume, retry_delay
from server.ingest.inbox import MOST_OF_ONE, Inbox, Message
from server.ingest.transaction import Ingest, Sent
from server.store.database import Database
from shared.topics import down, up
from shared.wire import Ack, Health, StreamAck, decode_message, encode_message
from tests.server.ingest.world import CLOCKS, A, B, held, hello, open_alarms, punches, rows, stored_seqs
from tests.support.mosquitto import Mosquitto


def ev(gateway: str, number: int) -> Message:
    return Message(gateway, "ev", bytes([number]))


async def test_gateways_take_turns(db: Database) -> None:
    inbox = Inbox()
    for number in range(5):
        inbox.put(ev(A, number))
    inbox.put(ev(B, 9))
    taken = await inbox.take(3)
    assert [(m.gateway, m.payload[0]) for m in taken] == [(A, 0), (B, 9), (A, 1)]
    assert [m.payload[0] for m in await inbox.take(9)] == [2, 3, 4]


async def test_of_two_workers_that_wait_the_slower_one_goes_on_waiting() -> None:
    inbox = Inbox()
    workers = [asyncio.create_task(inbox.take()) for _ in range(2)]
    await asyncio.sleep(0)
    inbox.put(ev(A, 1))
    done, waiting = await asyncio.wait(workers, timeout=0.05)
    assert [len(task.result()) for task in done] == [1]
    assert len(waiting) == 1
    inbox.put(ev(B, 2))
    assert [message.gateway for message in await waiting.pop()] == [B]


async def test_one_gateway_can_not_fill_the_inbox_and_idle_means_all_done() -> None:
    inbox = Inbox()
    for number in range(MOST_OF_ONE + 5):
        inbox.put(ev(A, number))
    inbox.put(ev(B, 1))
    assert (len(inbox), inbox.left_out) == (MOST_OF_ONE + 1, 5)
    while len(inbox):
        taken = await inbox.take()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(inbox.idle(), 0.001)
        inbox.done(taken)
    await inbox.idle()


def queued(consumer: Consumer) -> list[tuple[str, Ack]]:
    found = []
    while not consumer._acks.empty():
        found.append(consumer._acks.get_nowait())
    return found


async def test_rel10_quarantine_takes_messages_nobody_can_read_and_the_others_go_on(db: Database) -> None:
    consumer = Consumer(db, CLOCKS)
    bad = [
        Message(A, "ev", b"\xc1"),
        Message(A, "hello", b""),
        Message(A, "health", b"\x91\x01"),
        Message(A, "csr", b"x"),
        Message("gw/odd", None, b"y"),
        Message(A, "ev", bytes(200_000)),
    ]
    await consumer.deal_with([*bad, Message(A, "ev", punches(1, 3)), *bad])
    assert await stored_seqs(db) == [1, 2, 3]
    kept = await rows(db, "SELECT code, raw FROM quarantine ORDER BY id")
    assert [(code, bytes(raw)) for code, raw in kept] == [  # type: ignore[call-overload]
        ("bad_message", b"\xc1"),
        ("bad_message", b""),
        ("bad_message", b"\x91\x01"),
        ("bad_topic", b"x"),
        ("bad_topic", b"y"),
        ("oversize", bytes(200_000)),
    ], "each once, although sent twice"
    assert await open_alarms(db) == {("bad_message", A): 10, ("bad_message", "gw/odd"): 2}
    ((gateway, ack),) = queued(consumer)
    assert (gateway, ack.streams[0].upto) == (A, 3)


async def test_a_hello_that_no_table_can_hold_is_refused_and_kills_nothing(migrated_url: str, db: Database) -> None:
    consumer = Consumer(db, CLOCKS)
    poison = Message(A, "hello", encode_message(hello(held(1, 1), software="1\0", machine="m\0")))
    await consumer.deal_with([poison, Message(B, "ev", punches(1, 2, terminal="T2"))])
    assert await stored_seqs(db) == [1, 2]
    if migrated_url.startswith("postgresql"):  # SQLite takes it
        assert await rows(db, "SELECT code FROM quarantine") == [("not_storable",)]


async def test_a_batch_that_the_database_refuses_is_quarantined_and_the_others_are_stored(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Ingest.store

    async def refuse(self: Ingest, sent: Sequence[Sent], now_ms: int) -> dict[str, list[StreamAck]]:
        if any(gateway == B and batch.code is None for gateway, batch in sent):
            raise ValueError("no column can hold it")
        return await store(self, sent, now_ms)

    monkeypatch.setattr(Ingest, "store", refuse)
    consumer = Consumer(db, CLOCKS)
    await consumer.deal_with([Message(A, "ev", punches(1, 2)), Message(B, "ev", punches(7, 7, terminal="T2"))])
    assert await stored_seqs(db) == [1, 2]
    assert await rows(db, "SELECT gateway, seq, code FROM quarantine") == [(B, 7, "not_storable")]
    assert {gateway for gateway, _ in queued(consumer)} == {A, B}, "both are acked"


async def test_a_passing_fault_is_tried_again_with_the_message_kept(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, faults = Ingest.store, [ConnectionResetError(), TimeoutError()]

    async def flaky(self: Ingest, sent: Sequence[Sent], now_ms: int) -> dict[str, list[StreamAck]]:
        if faults:
            raise faults.pop()
        return await store(self, sent, now_ms)

    monkeypatch.setattr(Ingest, "store", flaky)
    monkeypatch.setattr(consumer_module, "FIRST_RETRY_S", 0.001)
    consumer = Consumer(db, CLOCKS)
    await consumer.deal_with([Message(A, "ev", punches(1, 2))])
    assert await stored_seqs(db) == [1, 2]
    assert len(queued(consumer)) == 1


def test_retries_double_up_to_a_limit() -> None:
    for failures in range(60):
        longest = min(FIRST_RETRY_S * 2**failures, LONGEST_RETRY_S)
        assert longest * 2 / 3 <= retry_delay(failures) <= longest


async def test_what_a_gateway_sends_over_mqtt_is_acked_and_a_stop_leaves_nothing_open(
    db: Database, mosquitto: Mosquitto, tmp_path_factory: pytest.TempPathFactory
) -> None:
    passwords = tmp_path_factory.mktemp("broker") / "passwords"
    passwords.write_text("server-1:secret\n")
    broker = BrokerConfig(port=mosquitto.port, password_file=passwords)
    config = msgspec.structs.replace(ServerConfig(), broker=broker)
    task = asyncio.create_task(consume(db, config, CLOCKS))
    health = Health(at=1, mono_ms=1, software="1", backlog=0, oldest_unacked_ms=None, free_bytes=1, quota_used_pct=1)
    async with asyncio.timeout(60), aiomqtt.Client("127.0.0.1", mosquitto.port) as client:
        await client.subscribe(down(A, "ack"), qos=1)
        greeting = encode_message(hello(held(1, 3, open_=True)))
        answer: aiomqtt.Message | None = None
        while answer is None:  # until ingest has subscribed, as a gateway repeats it
            await client.publish(up(A, "hello"), greeting, qos=1)
            try:
                answer = await asyncio.wait_for(anext(aiter(client.messages)), 0.5)
            except TimeoutError:
                continue
        assert decode_message(answer.payload, Ack).re == b"h" * 16
        await client.publish(up(A, "health"), encode_message(health), qos=1)
        await client.publish(up(A, "ev"), punches(1, 3), qos=1)
        async for message in client.messages:
            ack = decode_message(message.payload, Ack)
            if ack.re is None:
                break
        assert ack.streams[0].upto == 3
        await client.publish(up(A, "ev"), punches(4, 6), qos=1)
        async for message in client.messages:
            if decode_message(message.payload, Ack).streams[0].upto == 6:
                break
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 10)
    assert await stored_seqs(db) == [1, 2, 3, 4, 5, 6]
