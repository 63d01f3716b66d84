"""REL-06: nothing is lost, stored twice or stuck, whatever happens; and the simulator notices broken rules."""

import os

import pytest

from gateway.sync.session import Session
from server.ingest.session import Known, Seen, covered, read_batch, take
from shared.ranges import Ranges
from shared.wire import Ack, StreamAck
from tests.simulation.world import TERMINAL, Gateway, Row, Server, World

SEEDS = int(os.environ.get("MUSTER_SEEDS", "2000"))
PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_rel06_simulation(part: int) -> None:
    """Set MUSTER_SEEDS for more; a failing seed is named and replays alone with ``World(seed).run()``."""
    events = 0
    for seed in range(part, SEEDS, PARTS):
        outcome = World(seed).run()
        assert not outcome.failed, f"seed {seed}: {outcome}"
        events += outcome.events
    assert events > 50 * SEEDS // PARTS, "too little happened to prove anything"


class DeletesOnPuback(Gateway):
    """Takes the broker's word for the server's."""

    def published(self, stream: bytes, rows: list[Row]) -> None:
        disk = next(one for one in self.disk if one.stream == stream)
        for row in rows:
            if len(disk.rows) > 1:
                del disk.rows[row.seq]


class ReusesNumbers(Gateway):
    """Goes on with the old stream after a start, at the number after the highest it still has."""

    def begin_stream(self) -> None:
        for stream in self.disk[:-1]:
            stream.open = False


class AcksBeforeCommit(Server):
    """Says yes and dies."""

    def on_ev(self, payload: bytes) -> None:
        head = read_batch(payload).head
        if self.world.fault(0.3):
            self.world.to_gateway(Ack(streams=[StreamAck(head.stream, 0, [(head.first, head.last)])]))
            return
        super().on_ev(payload)


class HighestIsWatermark(Server):
    """Takes the highest seq it has seen for the watermark."""

    def store(self, stream: bytes, known: Known, payload: bytes) -> StreamAck:
        answer = super().store(stream, known, payload)
        highest = max([answer.upto, *(high for _, high in answer.also)])
        self.known[stream] = Known(upto=highest)
        return StreamAck(stream, highest)


class ComparesNoDigests(Server):
    """Takes what comes under a known number for a repeat."""

    def seen(self, stream: bytes, asked: Ranges) -> dict[int, Seen]:
        return {seq: Seen(frozenset()) for seq in super().seen(stream, asked)}


class KnowsNoKeys(Server):
    """Stores what comes."""

    def store(self, stream: bytes, known: Known, payload: bytes) -> StreamAck:
        batch = read_batch(payload)
        for row in take(Known(), [batch], {}, {TERMINAL}).rows:
            self.insert(stream, row.seq, row.body)
        taken = take(known, [batch], self.seen(stream, covered(known, [batch])), {TERMINAL})
        self.known[stream] = taken.known
        return taken.ack


class NeverTakesBack(Session):
    """Believes that what was acked once is acked for ever."""

    def _take_back(self, *_: object) -> list[tuple[bytes, Ranges]]:
        return []


class NeverTakesBackGateway(Gateway):
    session_class = NeverTakesBack


class NeverResends(Session):
    """Waits for an ack without end."""

    def _timeout_ms(self, _failures: int) -> int:
        return 10**12


class NeverResendsGateway(Gateway):
    session_class = NeverResends


@pytest.mark.parametrize(
    ("gateway", "server"),
    [
        (DeletesOnPuback, Server),
        (Gateway, AcksBeforeCommit),
        (Gateway, HighestIsWatermark),
        (ReusesNumbers, Server),
        (ReusesNumbers, ComparesNoDigests),
        (Gateway, KnowsNoKeys),
        (NeverTakesBackGateway, Server),
        (NeverResendsGateway, Server),
    ],
    ids=lambda kind: kind.__name__,
)
def test_rel06_mutants(gateway: type[Gateway], server: type[Server]) -> None:
    """Each broken rule of reliability.md section 3 shows itself within 500 seeds."""
    assert any(World(seed, gateway, server).run().failed for seed in range(500))
