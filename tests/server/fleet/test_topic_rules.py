"""The rules of security.md section 3, and the files made from them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.fleet.topic_rules import Act, acl_file, covers, matches, may, may_subscribe, password_file

GATEWAY, OTHER, SERVER = "gw-aaaaaaaaaa", "gw-bbbbbbbbbb", "server-1"

level = st.sampled_from(["gw", GATEWAY, OTHER, "up", "down", "ev", "x", ""])
topics = st.lists(level, min_size=1, max_size=5).map("/".join)
filters = st.builds(
    lambda levels, tail: "/".join([*levels, *tail]),
    st.lists(st.one_of(level, st.just("+")), min_size=1, max_size=4),
    st.sampled_from([[], ["#"]]),
)


@pytest.mark.parametrize(
    ("user", "act", "topic", "allowed"),
    [
        (GATEWAY, Act.PUBLISH, f"gw/{GATEWAY}/up/ev", True),
        (GATEWAY, Act.RECEIVE, f"gw/{GATEWAY}/down/ack", True),
        (GATEWAY, Act.PUBLISH, f"gw/{OTHER}/up/ev", False),
        (GATEWAY, Act.RECEIVE, f"gw/{OTHER}/down/ack", False),
        (GATEWAY, Act.PUBLISH, f"gw/{GATEWAY}/down/ack", False),
        (GATEWAY, Act.PUBLISH, f"gw/{OTHER}/down/ack", False),
        (GATEWAY, Act.RECEIVE, f"gw/{OTHER}/up/ev", False),
        (GATEWAY, Act.RECEIVE, "$SYS/broker/uptime", False),
        (SERVER, Act.RECEIVE, f"gw/{OTHER}/up/ev", True),
        (SERVER, Act.PUBLISH, f"gw/{OTHER}/down/ack", True),
        (SERVER, Act.RECEIVE, "$SYS/broker/uptime", True),
        (SERVER, Act.PUBLISH, f"gw/{OTHER}/up/ev", False),
        (SERVER, Act.PUBLISH, "$SYS/broker/uptime", False),
        ("+", Act.PUBLISH, "gw/+/up/ev", False),
        ("#", Act.RECEIVE, "gw/#/down/ack", False),
        ("", Act.PUBLISH, "gw//up/ev", False),
        ("server-1x", Act.RECEIVE, f"gw/{OTHER}/up/ev", False),
    ],
)
def test_a_user_may_only_what_security_md_says(user: str, act: Act, topic: str, allowed: bool) -> None:
    assert may(user, act, topic) is allowed


def test_a_revoked_gateway_may_nothing() -> None:
    assert not may(GATEWAY, Act.PUBLISH, f"gw/{GATEWAY}/up/ev", revoked={GATEWAY})
    assert not may_subscribe(GATEWAY, f"gw/{GATEWAY}/down/#", revoked={GATEWAY})


@given(filters, filters, topics)
def test_a_covered_filter_matches_nothing_that_its_cover_does_not(cover: str, inner: str, topic: str) -> None:
    if covers(cover, inner) and matches(inner, topic):
        assert matches(cover, topic)


@given(st.sampled_from([GATEWAY, OTHER, SERVER]), filters, topics)
def test_an_allowed_subscription_brings_only_what_may_be_received(user: str, wanted: str, topic: str) -> None:
    if may_subscribe(user, wanted) and matches(wanted, topic):
        assert may(user, Act.RECEIVE, topic)


def test_the_acl_file_names_each_server_and_each_revoked_gateway() -> None:
    text = acl_file(["server-2", "server-1"], [GATEWAY])
    blocks = text.split("\n\n")[1:]
    rights = "topic read gw/+/up/#\ntopic write gw/+/down/#\ntopic read $SYS/broker/#"
    assert blocks == [
        f"user server-1\n{rights}",
        f"user server-2\n{rights}",
        f"user {GATEWAY}\ntopic deny gw/{GATEWAY}/#",
        "pattern write gw/%u/up/#\npattern read gw/%u/down/#\n",
    ]


def test_the_password_file_has_a_line_for_each_user() -> None:
    assert (
        password_file([("server-1", "$7$1$a$b"), (GATEWAY, "$7$1$c$d")]) == f"{GATEWAY}:$7$1$c$d\nserver-1:$7$1$a$b\n"
    )
