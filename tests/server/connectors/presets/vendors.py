"""Systems in the shape of their vendors: each lets in who signs as it wants, and hands its rows out page by page."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, quote_plus
from zoneinfo import ZoneInfo

from tests.server.connectors.faulty import Call, Reply

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW_MS = 1_772_625_600_000
"""20:00 in Shanghai on 4 March 2026."""
MORNING_S = 1_772_413_200
"""09:00 in Shanghai on 2 March 2026."""
Rows: TypeAlias = list[dict[str, Any]]


@dataclass
class Vendor:
    """One system; secrets are the names that the preset gives them."""

    preset: str
    stream: str
    rows: Rows
    page: Callable[[Rows, Call], Any]
    signed: Callable[[Call], bool]
    pages: int
    change: Callable[[Rows], None]
    failure: Any
    """What it says, as HTTP 200 or as a Reply, when it is asked for what it does not give."""
    token: tuple[str, Callable[[Call], Any]] | None = None
    """Where tokens are given, and the answer to whoever asks rightly."""
    signed_out: Any = None
    people: Sequence[str] = ()
    parcels: Sequence[str] = ()
    carrier: str = ""
    again: int | None = None
    """Rows that the second pass is shown, where only what changed is asked for."""
    failing: bool = False
    old_token: bool = False
    tokens: list[Call] = field(default_factory=list)

    def __call__(self, call: Call) -> Reply:
        if self.token is not None and self.token[0] == call.path and not _is_data(call):
            self.tokens.append(call)
            return Reply(self.token[1](call))
        if not self.signed(call):
            return Reply(status=401)
        if self.old_token:
            self.old_token = False
            return Reply(self.signed_out)
        said = self.failure if self.failing else self.page(self.rows, call)
        return said if isinstance(said, Reply) else Reply(said)

    def __str__(self) -> str:
        return self.preset


def _is_data(call: Call) -> bool:
    """JSON-RPC signs in at the path of its calls."""
    return isinstance(call.body, dict) and call.body.get("method") == "export_responses"


def _header(name: str, value: str) -> Callable[[Call], bool]:
    return lambda call: {key.lower(): told for key, told in call.headers.items()}.get(name.lower()) == value


def _basic(pair: str) -> Callable[[Call], bool]:
    return _header("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")


def _query(name: str, value: str) -> Callable[[Call], bool]:
    return lambda call: call.query.get(name) == value


def _form(call: Call) -> Mapping[str, str]:
    return dict(parse_qsl(call.body))


def _utc(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- customer service -----------------------------------------------------------------------------------------------


def _zendesk(rows: Rows, call: Call) -> Any:
    """Two tickets a page; a start or a cursor, never both."""
    assert call.query["include"] == "metric_sets"
    assert ("cursor" in call.query) != ("start_time" in call.query)
    start_s, _, first = call.query.get("cursor", call.query.get("start_time", "") + "-0").partition("-")
    found = [row for row in rows if row["updated_at"] >= _utc(int(start_s))]
    end = int(first) + 2
    return {"tickets": found[int(first) : end], "after_cursor": f"{start_s}-{end}", "end_of_stream": end >= len(found)}


def _ticket(number: int) -> dict[str, Any]:
    times = {"created_at": _utc(MORNING_S), "updated_at": _utc(MORNING_S + 600 * number)}
    return {"id": number, "status": "open", **times, "metric_set": {"reopens": 0}}


def _solved(rows: Rows) -> None:
    rows[-1] |= {"status": "solved", "updated_at": _utc(MORNING_S + 7_200)}


def _freshdesk(rows: Rows, call: Call) -> Any:
    size, number = int(call.query["per_page"]), int(call.query["page"])
    found = [row for row in rows if row["updated_at"] >= call.query["updated_since"]]
    return found[size * (number - 1) : size * number]


def _fresh(number: int) -> dict[str, Any]:
    times = {"created_at": _utc(MORNING_S), "updated_at": _utc(MORNING_S + number)}
    return {"id": number, "status": 2, "priority": 1, "spam": False, "stats": {}, **times}


def _fresh_solved(rows: Rows) -> None:
    rows[-1] |= {"status": 4, "updated_at": _utc(MORNING_S + 7_200)}


def _chatwoot(rows: Rows, call: Call) -> Any:
    """25 a page; days are compared, and the one that is named is left out."""
    newer, status = call.body["payload"]
    assert (newer["filter_operator"], status["filter_operator"]) == ("is_greater_than", "not_equal_to")
    [after] = newer["values"]
    found = [row for row in rows if _utc(row["last_activity_at"])[:10] > after]
    number = int(call.query["page"])
    return {"meta": {"all_count": len(found)}, "payload": found[25 * (number - 1) : 25 * number]}


def _conversation(number: int) -> dict[str, Any]:
    times = {"created_at": MORNING_S, "first_reply_created_at": 0, "last_activity_at": MORNING_S + number}
    return {"id": number, "status": "open", **times, "meta": {"assignee": None, "sender": {"id": number}}}


def _snoozed(rows: Rows) -> None:
    rows[-1] |= {"status": "snoozed", "last_activity_at": MORNING_S + 7_200}


# --- CRM ------------------------------------------------------------------------------------------------------------


def _hubspot(rows: Rows, call: Call) -> Any:
    """A search as it is asked for: filters, order, a page of 100 at most; beyond 10,000 results it says no."""
    asked = call.body
    [group] = asked["filterGroups"]
    assert asked["limit"] <= 100
    [order] = asked["sorts"]
    assert order["propertyName"] in asked["properties"] or order["propertyName"] == "hs_object_id"
    found = sorted(
        (row for row in rows if all(_hubspot_holds(row["properties"], one) for one in group["filters"])),
        key=lambda row: _hubspot_value(row["properties"], order["propertyName"]),
        reverse=order["direction"] == "DESCENDING",
    )
    first = int(asked.get("after", 0))
    end = first + asked["limit"]
    if end > 10_000:
        return Reply({"status": "error", "category": "VALIDATION_ERROR"}, status=400)
    following = {"paging": {"next": {"after": str(end)}}} if end < len(found) else {}
    return {"total": len(found), "results": found[first:end], **following}


def _hubspot_holds(properties: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    value = _hubspot_value(properties, asked["propertyName"])
    match asked["operator"]:
        case "GTE":
            return value >= int(asked["value"])
        case "GT":
            return value > int(asked["value"])
        case "BETWEEN":
            return int(asked["value"]) <= value <= int(asked["highValue"])
    raise AssertionError(asked["operator"])


def _hubspot_value(properties: Mapping[str, Any], name: str) -> int:
    """Ids and moments are compared as numbers, moments as milliseconds."""
    text = properties[name]
    return int(text) if text.isdigit() else int(datetime.fromisoformat(text).timestamp() * 1000)


def _deal(number: int) -> dict[str, Any]:
    """One for each number, changed every ten minutes from the evening of 1 March on: over days, and at all hours."""
    properties = {
        "hs_object_id": str(number),
        "amount": "15.00",
        "hs_is_closed": "false",
        "hs_is_closed_won": "false",
        "createdate": _utc(MORNING_S),
        "deal_currency_code": "CNY",
        "hubspot_owner_id": "910",
        "hs_lastmodifieddate": _utc(MORNING_S - 50_000 + 600 * number),
    }
    return {"id": str(number), "properties": properties}


def _won(rows: Rows) -> None:
    told = {"hs_is_closed": "true", "hs_is_closed_won": "true", "closedate": _utc(MORNING_S)}
    rows[4]["properties"] |= {**told, "hs_lastmodifieddate": _utc(NOW_MS // 1000 - 60)}


# --- attendance of others -------------------------------------------------------------------------------------------


def _dingtalk(rows: Rows, call: Call) -> Any:
    """By people, days that are meant whole, and offset; seven days and 50 people at most."""
    asked = call.body
    first, last = (datetime.fromisoformat(asked[name]).date() for name in ("workDateFrom", "workDateTo"))
    assert last - first < timedelta(days=7)
    assert len(asked["userIdList"]) <= 50
    found = [row for row in rows if row["userId"] in asked["userIdList"] and first <= _day(row["workDate"]) <= last]
    end = asked["offset"] + asked["limit"]
    return {"errcode": 0, "recordresult": found[asked["offset"] : end], "hasMore": end < len(found)}


def _day(at_ms: int) -> date:
    return datetime.fromtimestamp(at_ms / 1000, SHANGHAI).date()


def _ding(number: int) -> dict[str, Any]:
    """The first one three days before the others."""
    at_s = MORNING_S - (3 * 86_400 if number == 1 else 0)
    times = {"userCheckTime": (at_s + number) * 1000, "workDate": (at_s - 9 * 3_600) * 1000}
    told = {"checkType": "OnDuty", "timeResult": "Normal", "locationResult": "Normal", "baseCheckTime": None}
    return {"id": number, "userId": f"u{number % 2}", **times, **told}


def _feishu(rows: Rows, call: Call) -> Any:
    """By people and seconds, which have to be text; rows of a time outside are not shown."""
    asked = call.body
    assert call.query["employee_type"] == "employee_no"
    assert len(asked["user_ids"]) <= 50
    first, last = asked["check_time_from"], asked["check_time_to"]
    assert isinstance(first, str)
    assert isinstance(last, str)
    found = [row for row in rows if row["user_id"] in asked["user_ids"] and first <= row["check_time"] <= last]
    return {"code": 0, "data": {"user_flow_results": found}}


def _flow(number: int) -> dict[str, Any]:
    """The last second of a day, then the first of the next, and so on."""
    at_s = MORNING_S + 15 * 3_600 - 1 + number
    return {"record_id": str(number), "user_id": f"u{number}", "check_time": str(at_s), "is_field": False}


def _wecom(rows: Rows, call: Call) -> Any:
    asked = call.body
    assert asked["opencheckindatatype"] == 3
    assert len(asked["useridlist"]) <= 100
    assert asked["endtime"] - asked["starttime"] < 30 * 86_400
    found = [
        row
        for row in rows
        if row["userid"] in asked["useridlist"] and asked["starttime"] <= row["checkin_time"] <= asked["endtime"]
    ]
    return {"errcode": 0, "checkindata": found}


def _checkin(number: int) -> dict[str, Any]:
    told = {"checkin_type": "上班打卡", "exception_type": "", "sch_checkin_time": MORNING_S}
    return {"userid": f"u{number}", "checkin_time": MORNING_S + number, **told}


# --- new media ------------------------------------------------------------------------------------------------------


def _wechat(rows: Rows, call: Call) -> Any:
    """Articles of one day that is over."""
    assert call.body["begin_date"] == call.body["end_date"] < "2026-03-04"
    return {"list": [row for row in rows if row["ref_date"] == call.body["begin_date"]]}


def _article(number: int) -> dict[str, Any]:
    day = f"2026-03-0{number + 1}"
    figures = {"target_user": 9, "int_page_read_user": 4, "int_page_read_count": 5, "share_count": 1}
    details = [{"stat_date": day, **figures, "add_to_fav_count": 0}]
    return {"ref_date": day, "msgid": f"{number}_1", "title": "t", "details": details}


def _read_more(rows: Rows) -> None:
    """Of the oldest: a figure that settles late is not on the newest day."""
    rows[0]["details"][0]["int_page_read_count"] = 6


def _douyin(rows: Rows, call: Call) -> Any:
    assert call.query["open_id"] == "YOUR_OPEN_ID"
    start, size = int(call.query.get("cursor", 0)), int(call.query["count"])
    end = start + size
    data = {"error_code": 0, "list": rows[start:end], "cursor": end, "has_more": end < len(rows)}
    return {"data": data, "extra": {"error_code": 0, "now": NOW_MS}}


def _video(number: int) -> dict[str, Any]:
    figures = {"play_count": 5, "digg_count": 1, "comment_count": 0, "share_count": 0}
    return {"item_id": f"@{number}", "title": "t", "create_time": MORNING_S, "statistics": figures}


def _played(rows: Rows) -> None:
    rows[-1]["statistics"]["play_count"] = 6


# --- carriers -------------------------------------------------------------------------------------------------------


def _kuaidi100(rows: Rows, call: Call) -> Any:
    asked = json.loads(_form(call)["param"])
    assert asked["com"] == "yuantong"
    found = [row for row in rows if row["nu"] == asked["num"]]
    return found[0] if found else {"result": False, "returnCode": "500", "message": "查询无结果"}


def _kuaidi100_signed(call: Call) -> bool:
    form = _form(call)
    text = f"{form['param']}kuaidi100KUAIDI100_CUSTOMER"
    return form["sign"] == hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()


def _nu(number: int) -> dict[str, Any]:
    step = {"ftime": "2026-03-02 10:30:00", "status": "揽收", "areaName": "上海"}
    return {"message": "ok", "nu": f"YT{number}", "com": "yuantong", "status": "200", "state": "1", "data": [step]}


def _signed_for(rows: Rows) -> None:
    rows[-1]["state"] = "3"


def _sf(rows: Rows, call: Call) -> Any:
    form = _form(call)
    assert form["serviceCode"] == "EXP_RECE_SEARCH_ROUTES"
    asked = json.loads(form["msgData"])["trackingNumber"]
    assert len(asked) <= 10
    found = {"success": True, "msgData": {"routeResps": [row for row in rows if row["mailNo"] in asked]}}
    return {"apiResultCode": "A1000", "apiResultData": json.dumps(found)}


def _sf_signed(call: Call) -> bool:
    form = _form(call)
    text = quote_plus(f"{form['msgData']}{form['timestamp']}sf_checkword")
    made = base64.b64encode(hashlib.md5(text.encode(), usedforsecurity=False).digest()).decode()
    return (form["msgDigest"], form["partnerID"]) == (made, "SF_PARTNER") and bool(form["requestID"])


def _mail(number: int) -> dict[str, Any]:
    return {"mailNo": f"SF{number:02}", "routes": [{"opCode": "50", "acceptTime": "2026-03-02 10:30:00"}]}


def _arrived(rows: Rows) -> None:
    rows[-1]["routes"].append({"opCode": "80", "acceptTime": "2026-03-03 10:30:00"})


def _shipstation(rows: Rows, call: Call) -> Any:
    assert call.query["carrier_code"] == "ups"
    return next(row for row in rows if row["tracking_number"] == call.query["tracking_number"])


def _tracked(number: int) -> dict[str, Any]:
    return {"tracking_number": f"1Z{number}", "status_code": "IT", "events": []}


# --- training and surveys -------------------------------------------------------------------------------------------


def _moodle(rows: Rows, call: Call) -> Any:
    assert (call.query["wsfunction"], call.query["courseid"]) == ("gradereport_user_get_grade_items", "2")
    return {"usergrades": rows}


def _grade(number: int) -> dict[str, Any]:
    total = {"itemtype": "course", "graderaw": 50 + number, "grademax": 100, "gradedategraded": MORNING_S}
    return {"courseid": 2, "userid": number, "gradeitems": [total]}


def _better(rows: Rows) -> None:
    rows[-1]["gradeitems"][0]["graderaw"] = 99


def _limesurvey(rows: Rows, call: Call) -> Any:
    assert call.body["params"][1:] == [123456, "json", None, "complete", "code", "short"]
    return {"result": base64.b64encode(json.dumps({"responses": rows}).encode()).decode()}


def _answer(number: int) -> dict[str, Any]:
    return {"id": str(number), "submitdate": "2026-03-02 10:30:00", "DEPT": "d", "Q1": "3"}


def _another_mind(rows: Rows) -> None:
    rows[-1]["Q1"] = "4"


def _set(name: str, value: Any, place: int = -1) -> Callable[[Rows], None]:
    return lambda rows: rows[place].update({name: value})


def vendors() -> list[Vendor]:
    """Every system, fresh."""
    token = {"access_token": "t1", "expires_in": 7_200}
    wechat = {"grant_type": "client_credential", "appid": "WECHAT_APP", "secret": "wechat"}
    feishu = {"app_id": "FEISHU_APP", "app_secret": "feishu"}
    return [
        Vendor(
            "desk_zendesk",
            "ticket",
            [_ticket(n) for n in range(1, 6)],
            _zendesk,
            _basic("ZENDESK_LOGIN:zendesk"),
            3,
            _solved,
            {"error": "StartTimeTooRecent"},
            again=1,
        ),
        Vendor(
            "desk_freshdesk",
            "ticket",
            [_fresh(n) for n in range(1, 121)],
            _freshdesk,
            _basic("freshdesk:X"),
            2,
            _fresh_solved,
            Reply({"code": "invalid_value"}, status=400),
        ),
        Vendor(
            "desk_chatwoot",
            "ticket_open",
            [_conversation(n) for n in range(1, 31)],
            _chatwoot,
            _header("Api_access_token", "chatwoot"),
            2,
            _snoozed,
            Reply({"error": "not found"}, status=404),
        ),
        Vendor(
            "crm_hubspot",
            "deal",
            [_deal(n) for n in range(1, 251)],
            _hubspot,
            _header("Authorization", "Bearer hubspot"),
            3,
            _won,
            Reply({"status": "error"}, status=400),
            again=3,
        ),
        Vendor(
            "attendance_dingtalk",
            "attendance_punch",
            [_ding(n) for n in range(1, 61)],
            _dingtalk,
            _query("access_token", "t1"),
            3,
            _set("locationResult", "Outside", 0),
            {"errcode": 60011, "errmsg": "no right"},
            ("/gettoken", lambda call: token if call.query["appkey"] == "DINGTALK_KEY" else {"errcode": 40089}),
            {"errcode": 40014},
            people=("u0", "u1"),
        ),
        Vendor(
            "attendance_feishu",
            "attendance_punch",
            [_flow(n) for n in range(60)],
            _feishu,
            _header("Authorization", "Bearer t1"),
            2,
            _set("is_field", True),
            {"code": 1_220_001, "msg": "no"},
            (
                "/open-apis/auth/v3/tenant_access_token/internal",
                lambda call: {"code": 0, "tenant_access_token": "t1", "expire": 7_200} if call.body == feishu else {},
            ),
            {"code": 99_991_663},
            people=[f"u{n}" for n in range(60)],
        ),
        Vendor(
            "attendance_wecom",
            "attendance_punch",
            [_checkin(n) for n in range(120)],
            _wecom,
            _query("access_token", "t1"),
            2,
            _set("exception_type", "地点异常"),
            {"errcode": 301_002},
            ("/cgi-bin/gettoken", lambda call: token if call.query["corpsecret"] == "wecom_checkin" else {}),
            {"errcode": 42_001},
            people=[f"u{n}" for n in range(120)],
        ),
        Vendor(
            "media_wechat",
            "content_post",
            [_article(n) for n in range(3)],
            _wechat,
            _query("access_token", "t1"),
            3,
            _read_more,
            {"errcode": 61_501},
            ("/cgi-bin/stable_token", lambda call: token if call.body == wechat else {}),
            {"errcode": 40_001},
        ),
        Vendor(
            "media_douyin",
            "content_post",
            [_video(n) for n in range(25)],
            _douyin,
            _header("Access-Token", "t1"),
            2,
            _played,
            {"data": {"error_code": 0}, "extra": {"error_code": 2_190_004}},
            (
                "/oauth/refresh_token/",
                lambda call: {"data": token} if _form(call)["refresh_token"] == "douyin_refresh" else {},
            ),
            {"data": {"error_code": 2_190_008}, "extra": {}},
        ),
        Vendor(
            "carrier_kuaidi100",
            "shipment",
            [_nu(n) for n in range(3)],
            _kuaidi100,
            _kuaidi100_signed,
            3,
            _signed_for,
            {"result": False, "returnCode": "601"},
            parcels=["YT0", "YT1", "YT2", "YT9"],
            carrier="yuantong",
        ),
        Vendor(
            "carrier_sf",
            "shipment",
            [_mail(n) for n in range(12)],
            _sf,
            _sf_signed,
            2,
            _arrived,
            {"apiResultCode": "A1006", "apiResultData": ""},
            parcels=[f"SF{n:02}" for n in range(12)],
            carrier="SF",
        ),
        Vendor(
            "carrier_shipstation",
            "shipment",
            [_tracked(n) for n in range(3)],
            _shipstation,
            _header("API-Key", "shipstation"),
            3,
            _set("status_code", "DE"),
            Reply({"errors": []}, status=400),
            parcels=["1Z0", "1Z1", "1Z2"],
            carrier="ups",
        ),
        Vendor(
            "training_moodle",
            "training_result",
            [_grade(n) for n in range(1, 4)],
            _moodle,
            _query("wstoken", "moodle"),
            1,
            _better,
            {"exception": "moodle_exception", "errorcode": "invalidtoken"},
        ),
        Vendor(
            "survey_limesurvey",
            "survey_response",
            [_answer(n) for n in range(1, 4)],
            _limesurvey,
            lambda call: call.body["params"][0] == "k1",
            1,
            _another_mind,
            {"result": {"status": "No permission"}},
            (
                "/index.php/admin/remotecontrol",
                lambda call: {"result": "k1" if call.body["params"] == ["LIMESURVEY_USER", "limesurvey"] else {}},
            ),
            {"result": {"status": "Invalid session key"}},
        ),
    ]
