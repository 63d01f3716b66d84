"""Recruitment, training, surveys."""

import datetime as dt
from zoneinfo import ZoneInfo

from server.facts.resolve.rule import LINKS, Cause, Causes, Row, Rule, each, in_order, local_day


def _on_board(requisition: Row, causes: Causes, zone: ZoneInfo) -> Row:
    needed_by = requisition["needed_by"]
    if needed_by is None:
        return {"on_board_in_time": None}
    came = {
        row["candidate_key"] or row["source_key"]
        for row in causes["candidate_stage"]
        if row["stage"] == "on_board" and local_day(row["entered_at_ms"], zone) <= needed_by
    }
    return {"on_board_in_time": len(came)}


def _recruiter(_row: Row, causes: Causes, _zone: ZoneInfo) -> Row:
    found = in_order(causes["requisition"])
    return {"recruiter": found[0]["employee"] if found else None}


def _trainer(row: Row, causes: Causes, zone: ZoneInfo) -> Row:
    return {"trainer": _linked(causes, _day(row["occurred_at_ms"], zone))}


def _subject(row: Row, causes: Causes, zone: ZoneInfo) -> Row:
    return {"subject": _linked(causes, local_day(row["submitted_at_ms"], zone))}


def _designer(_row: Row, causes: Causes, _zone: ZoneInfo) -> Row:
    works = in_order(causes["design_task"])
    return {"designer": works[0]["employee"] if works else None}


def _day(at_ms: int | None, zone: ZoneInfo) -> dt.date | None:
    return None if at_ms is None else local_day(at_ms, zone)


def _linked(causes: Causes, day: dt.date | None) -> str | None:
    """Whose id it was that day; without a day the id has to be one person's alone."""
    links = sorted(causes[LINKS], key=lambda link: link["valid_from"])
    if day is None:
        people = {link["employee"] for link in links}
        return people.pop() if len(people) == 1 else None
    held = (
        link["employee"]
        for link in links
        if link["valid_from"] <= day and (link["valid_to"] is None or day <= link["valid_to"])
    )
    return next(held, None)


def _closed(row: Row, causes: Causes, _zone: ZoneInfo) -> Row:
    """Its own department's round comes before one for everybody."""
    rounds = [one for one in in_order(causes["survey_round"]) if one["closed_on"] is not None]
    own = [one for one in rounds if one["org_key"] == row["org_key"]] or [one for one in rounds if not one["org_key"]]
    return {"closed_on": max((one["closed_on"] for one in own), default=None)}


_LINK = ("valid_from", "valid_to", "employee")

RULES = (
    Rule(
        "requisition",
        ("source", "source_key"),
        ("on_board_in_time",),
        (Cause("candidate_stage", ("source", "requisition_key"), ("stage", "entered_at_ms", "candidate_key")),),
        each(_on_board),
        ("needed_by",),
        alone=True,
    ),
    Rule(
        "employment",
        ("source", "requisition_key"),
        ("recruiter",),
        (Cause("requisition", ("source", "source_key"), ("employee",)),),
        each(_recruiter),
    ),
    Rule(
        "training_result",
        ("source", "trainer_key"),
        ("trainer",),
        (Cause(LINKS, ("source", "employee_key"), _LINK),),
        each(_trainer),
        ("occurred_at_ms",),
    ),
    Rule(
        "survey_response",
        ("source", "subject_key"),
        ("subject",),
        (Cause(LINKS, ("source", "employee_key"), _LINK),),
        each(_subject),
        ("submitted_at_ms",),
    ),
    Rule(
        "survey_response",
        ("subject_key",),
        ("designer",),
        (Cause("design_task", ("source_key",), ("employee",)),),
        each(_designer),
    ),
    Rule(
        "survey_response",
        ("source", "survey_key"),
        ("closed_on",),
        (Cause("survey_round", ("source", "survey_key"), ("closed_on", "org_key")),),
        each(_closed),
        ("org_key",),
    ),
)
