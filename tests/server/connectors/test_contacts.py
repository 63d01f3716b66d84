"""What is not kept of rows as they came: contact details, and where somebody was."""

from server.connectors.contacts import without_contacts
from server.connectors.presets import load_preset
from server.connectors.source_file import Stream


def test_where_somebody_punched_is_not_kept() -> None:
    [stream] = load_preset("attendance_wecom").streams
    told = {"userid": "u1", "checkin_time": 1_772_413_200, "checkin_type": "上班打卡"}
    places = {"lat": 30547030, "lng": 104062890, "location_detail": "x", "wifiname": "home", "mediaids": ["m"]}
    assert without_contacts([{**told, **places}], stream) == [told]


def test_a_contact_is_dropped_from_a_flat_row_and_from_any_depth() -> None:
    [stream] = load_preset("attendance_wecom").streams
    flat = {"userid": "u1", "checkin_time": 1}
    rows = [
        flat,
        {**flat, "Email": "a@b.cn"},
        {**flat, "more": [{"x": 1, "电话": "138"}]},
        {**flat, "more": {"tel": None}},
    ]
    assert without_contacts(rows, stream) == [flat, flat, {**flat, "more": [{"x": 1}]}, {**flat, "more": {}}]


def test_what_a_map_reads_is_kept_be_it_a_column_that_becomes_a_row() -> None:
    text = {
        "fact": "survey_response",
        "unpivot": ["WeChat"],
        "key": "^.id",
        "map": {"survey_key": "^.id", "question_key": "name", "value": "value", "submitted_at": "^.at"},
    }
    row = {"id": 1, "at": "2026-03-02", "WeChat": "4"}
    assert without_contacts([{**row, "Phone": "138"}], Stream.model_validate(text)) == [row]


def test_what_a_map_picks_out_of_a_list_is_kept() -> None:
    text = {
        "fact": "ticket",
        "key": "id",
        "map": {
            "status": {"const": "open"},
            "created_at": {
                "pick": {
                    "path": "mobile",
                    "where": [{"path": "tel", "among": [1]}],
                    "unless": [{"path": "fax", "among": [1]}],
                    "take": "first",
                    "of": "street",
                }
            },
        },
    }
    said = {"tel": 1, "fax": 2, "street": "2026-03-02"}
    phoned = {"id": 1, "mobile": [{**said, "Phone": "138"}], "email_recipients": ["a@example.com"]}
    assert without_contacts([phoned], Stream.model_validate(text)) == [{"id": 1, "mobile": [said]}]
