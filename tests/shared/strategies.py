"""Values of the shared types, for property tests."""

from hypothesis import strategies as st

from shared.clock import ClockAnchor
from shared.punch import Direction, Flag, Method, Punch
from shared.scan import Damaged, Scan, ScanKind
from shared.wire import (
    Ack,
    ChangeResult,
    Command,
    DirectoryUser,
    Health,
    Hello,
    Result,
    StreamAck,
    StreamState,
    TerminalHealth,
    UserChange,
)

INT = st.integers(-(2**63), 2**63 - 1)
COUNT = st.integers(0, 2**63 - 1)
SEQ = st.integers(1, 2**63 - 1)
TEXT = st.text(max_size=20)
STREAM = st.binary(min_size=16, max_size=16)

PUNCHES = st.builds(
    Punch,
    terminal=TEXT,
    user=TEXT,
    at_device=st.none() | INT,
    utc_offset_s=st.none() | st.integers(-86_400, 86_400),
    at=INT,
    direction=st.sampled_from(Direction),
    method=st.sampled_from(Method),
    raw_codes=st.lists(INT, max_size=4).map(tuple),
    native_seq=st.none() | INT,
    drift_ms=st.none() | INT,
    seen_ms=COUNT,
    flags=st.integers(0, 31).map(Flag),
)
SCANS = st.builds(
    Scan,
    station=TEXT,
    code=TEXT,
    symbology=TEXT,
    kind=st.sampled_from(ScanKind),
    at=INT,
    operator=st.none() | TEXT,
    native_seq=st.none() | INT,
    seen_ms=COUNT,
    flags=st.integers(0, 31).map(Flag),
)
DAMAGED = st.builds(Damaged, source=TEXT, reason=TEXT, raw=st.binary(max_size=50), at=INT, seen_ms=COUNT)
EVENTS = PUNCHES | SCANS | DAMAGED

ANCHORS = st.builds(ClockAnchor, mono_ms=COUNT, wall_ms=INT, synced=st.booleans())
HELLOS = st.builds(
    Hello,
    id=STREAM,
    streams=st.lists(
        st.builds(
            StreamState, stream=STREAM, first=SEQ, last=SEQ, acked_upto=COUNT, open=st.booleans(), anchor=ANCHORS
        ),
        max_size=3,
    ),
    more=st.booleans(),
    newest_digest=st.none() | st.binary(min_size=32, max_size=32),
    machine=TEXT,
    wall_ms=INT,
    clock_synced=st.booleans(),
    free_bytes=COUNT,
    software=TEXT,
)
PAIRS = st.lists(st.tuples(SEQ, SEQ), max_size=3)
ACKS = st.builds(
    Ack,
    re=st.none() | STREAM,
    streams=st.lists(
        st.builds(
            StreamAck,
            stream=STREAM,
            upto=COUNT,
            also=PAIRS,
            rejected=st.lists(st.tuples(SEQ, TEXT), max_size=3),
        ),
        max_size=3,
    ),
    busy_ms=COUNT,
)
HEALTH = st.builds(
    Health,
    at=INT,
    mono_ms=COUNT,
    software=TEXT,
    backlog=COUNT,
    oldest_unacked_ms=st.none() | INT,
    free_bytes=COUNT,
    quota_used_pct=st.integers(0, 100),
    refused=COUNT,
    dropped_health=COUNT,
    alarms=st.lists(TEXT, max_size=3),
    terminals=st.lists(
        st.builds(TerminalHealth, terminal=TEXT, name=TEXT, profile=TEXT, state=TEXT, problem=st.none() | TEXT),
        max_size=2,
    ),
)
PEOPLE = st.builds(DirectoryUser, number=TEXT, name=TEXT, card=TEXT, enabled=st.booleans())
COMMANDS = st.builds(
    Command,
    id=STREAM,
    terminal=TEXT,
    expires_ms=INT,
    changes=st.lists(st.builds(UserChange, user=PEOPLE, before=st.none() | PEOPLE), max_size=3),
)
RESULTS = st.builds(
    Result,
    id=STREAM,
    terminal=TEXT,
    at=INT,
    outcome=TEXT,
    message=TEXT,
    changes=st.lists(st.builds(ChangeResult, number=TEXT, outcome=TEXT, message=TEXT), max_size=3),
    users=st.lists(PEOPLE, max_size=3),
    part=COUNT,
    parts=COUNT,
)
MESSAGES = HELLOS | ACKS | HEALTH | COMMANDS | RESULTS
