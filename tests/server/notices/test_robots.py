"""Vendors' signatures, answers and limits; addresses that are called, and those that are not."""

from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.notices import robots
from server.notices.outgoing import check_address, is_public
from server.notices.robots import HOSTS, LIMITS, ROBOTS, Message, Robot
from shared.errors import DataError

MESSAGE = Message("title", "first\nsecond", "https://muster.example/reports", "open")


def test_the_published_example_of_dingtalk_is_reproduced() -> None:
    assert robots.dingtalk_signature("SECtest", 1_764_000_000_000) == "cVXRguV6qFaedUI1ABkmalEHVMPQcQMdEOXB71csfSo="


def test_the_published_example_of_feishu_is_reproduced() -> None:
    assert robots.feishu_signature("SECtest", 1_764_000_000) == "iaf1FEIA8BWovtf7d+yk+UsrxHQ6NILFJ8h+IaEsAu8="


def test_dingtalk_is_signed_in_the_query_in_milliseconds() -> None:
    sent = robots.post(
        "dingtalk", "https://oapi.dingtalk.com/robot/send?access_token=a", "SECtest", MESSAGE, 1_764_000_000_000
    )
    assert parse_qs(urlsplit(sent.url).query) == {
        "access_token": ["a"],
        "timestamp": ["1764000000000"],
        "sign": ["cVXRguV6qFaedUI1ABkmalEHVMPQcQMdEOXB71csfSo="],
    }


def test_feishu_is_signed_in_the_body_in_seconds() -> None:
    sent = robots.post(
        "feishu", "https://open.feishu.cn/open-apis/bot/v2/hook/a", "SECtest", MESSAGE, 1_764_000_000_999
    )
    body = msgspec.json.decode(sent.body)
    assert (body["timestamp"], body["sign"]) == ("1764000000", "iaf1FEIA8BWovtf7d+yk+UsrxHQ6NILFJ8h+IaEsAu8=")


@pytest.mark.parametrize("robot", ROBOTS)
def test_without_a_secret_nothing_is_signed(robot: Robot) -> None:
    sent = robots.post(robot, "https://h/x?key=a", None, MESSAGE, 1)
    assert (sent.url, b"sign" in sent.body) == ("https://h/x?key=a", False)


@given(st.sampled_from(ROBOTS), st.text(max_size=12_000))
def test_no_message_is_larger_than_the_vendor_takes(robot: Robot, text: str) -> None:
    sent = robots.post(robot, "https://h/x?key=a", "s", Message("t", text.replace("\n", ""), "https://l", "open"), 1)
    content = msgspec.json.decode(sent.body)
    taken = content["markdown"]["content"].encode() if robot == "wecom" else sent.body
    if all(ord(letter) > 31 and letter not in '"\\' for letter in text):  # JSON doubles what has to be escaped
        assert len(taken) <= LIMITS[robot].size


@pytest.mark.parametrize(
    ("robot", "status", "body", "code"),
    [
        ("dingtalk", 200, b'{"errcode":0,"errmsg":"ok"}', None),
        ("dingtalk", 200, b'{"errcode":310000,"errmsg":"sign not match"}', "robot_signature"),
        ("wecom", 200, b'{"errcode":0,"errmsg":"ok"}', None),
        ("wecom", 200, b'{"errcode":93000}', "robot_address"),
        ("wecom", 200, b'{"errcode":45009}', "robot_too_many"),
        ("wecom", 200, b'{"errcode":1}', "robot_refused"),
        ("feishu", 200, b'{"code":0,"msg":"success","StatusCode":0}', None),
        ("feishu", 200, b'{"code":19021}', "robot_signature"),
        ("feishu", 200, b'{"StatusCode":0}', None),
        ("feishu", 200, b"<html>", "robot_answer"),
        ("feishu", 200, b"{}", "robot_answer"),
        ("feishu", 200, b'{"code":"0"}', "robot_answer"),
        ("dingtalk", 429, b"", "robot_too_many"),
        ("dingtalk", 502, b'{"errcode":0}', "robot_status"),
    ],
)
def test_the_code_in_the_body_decides(robot: Robot, status: int, body: bytes, code: str | None) -> None:
    assert robots.problem(robot, status, body) == code


@pytest.mark.parametrize("robot", ROBOTS)
def test_the_vendor_over_https_may_be_called(robot: Robot) -> None:
    check_address(robot, f"https://{HOSTS[robot]}/send?key=a", ())
    check_address(robot, f"https://{HOSTS[robot]}:443/send?key=a", ())


@pytest.mark.parametrize(
    "url",
    [
        "http://oapi.dingtalk.com/x",
        "https://oapi.dingtalk.com.evil.test/x",
        "https://evil.test/oapi.dingtalk.com",
        "https://oapi.dingtalk.com:8443/x",
        "https://oapi.dingtalk.com@evil.test/x",
        "https://user@oapi.dingtalk.com/x",
        "https://oapi.dingtalk.com/x y",
        "https://oapi.dingtalk.com/x#y",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://qyapi.weixin.qq.com/x",
        "file:///etc/passwd",
        "https://oapi.dingtalk.com:99999/x",
        "",
        "http://127.0.0.1:9001/x",
    ],
)
def test_sec31_ssrf_no_other_address_may_be_called(url: str) -> None:
    with pytest.raises(DataError) as refused:
        check_address("dingtalk", url, ("http://127.0.0.1:9000",))
    assert refused.value.code == "robot_address"


def test_an_origin_that_the_settings_allow_may_be_called() -> None:
    check_address("dingtalk", "http://127.0.0.1:9000/x", ("http://127.0.0.1:9000",))


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("203.119.207.129", True),
        ("2400:3200::1", True),
        *((address, False) for address in ("127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "10.2.5.5")),
        *((address, False) for address in ("::1", "fe80::1%eth0", "fc00::1", "::ffff:127.0.0.1", "224.0.0.1")),
        ("100.64.0.1", False),
    ],
)
def test_sec31_ssrf_a_name_may_not_lead_inside(address: str, public: bool) -> None:
    assert is_public(address) is public
