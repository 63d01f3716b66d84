"""The real services that other tests lean on do what those tests take for granted."""

import asyncio
import socket
import time
from collections.abc import Callable

import aiomqtt
import pytest

from tests.support.mosquitto import Mosquitto
from tests.support.postgres import Postgres


async def test_a_broker_comes_back_on_its_port_after_a_kill(mosquitto: Mosquitto) -> None:
    port = mosquitto.port
    mosquitto.kill()
    mosquitto.start()
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.publish("up", b"1", qos=1)


async def test_a_broker_keeps_out_whom_its_settings_keep_out(start_broker_process: Callable[[str], Mosquitto]) -> None:
    broker = start_broker_process("allow_anonymous false")
    with pytest.raises(aiomqtt.MqttError):
        async with aiomqtt.Client("127.0.0.1", broker.port):
            pass
    deadline = time.monotonic() + 30
    while "not authorised" not in broker.log:  # it answers before it writes
        assert time.monotonic() < deadline, broker.log
        await asyncio.sleep(0.05)


def test_each_test_gets_an_empty_database(postgres: Postgres, postgres_url: str) -> None:
    name = postgres_url.rpartition("/")[2]
    assert postgres.execute("select count(*) from pg_tables where schemaname = 'public'", name).strip() == "0"


def test_what_was_committed_survives_a_crash_of_the_cluster(start_cluster: Callable[[], Postgres]) -> None:
    cluster = start_cluster()
    cluster.execute("create table kept (n int); insert into kept values (1)")
    cluster.crash()
    cluster.start()
    assert cluster.execute("select n from kept").strip() == "1"


def test_services_are_reached_from_this_machine_only(mosquitto: Mosquitto, postgres: Postgres) -> None:
    with socket.create_server(("127.0.0.2", mosquitto.port)), socket.create_server(("127.0.0.2", postgres.port)):
        pass  # the same port of another address is still free
