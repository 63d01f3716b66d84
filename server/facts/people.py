"""Recruitment, employment, training, surveys, contracts, attendance of other systems."""

from typing import Annotated, Literal

from pydantic import Field

from server.facts.fields import Count, Day, Fact, Instant, Key, Minor, Rating, Text

Score = Annotated[float, Field(ge=0, le=100_000)]


class Requisition(Fact):
    """Posts to be filled; ``employee_key`` recruits."""

    opened_on: Day
    headcount: Count
    approved_on: Day | None = None
    needed_by: Day | None = None
    filled: Count | None = None
    closed_on: Day | None = None


class CandidateStage(Fact):
    """A candidate reached a stage."""

    stage: Literal["applied", "screened", "interviewed", "offered", "on_board", "rejected", "withdrawn"]
    entered_at: Instant
    candidate_key: Key | None = None
    requisition_key: Key | None = None


class Employment(Fact):
    """An employment from its first to its last day."""

    employee_key: Key
    joined_on: Day
    left_on: Day | None = None
    leave_kind: Literal["resigned", "dismissed", "mutual", "contract_end", "retired"] | None = None
    probation_ends_on: Day | None = None
    probation_passed: bool | None = None
    requisition_key: Key | None = None


class TrainingResult(Fact):
    """One enrolled person and a course, present or not."""

    course_key: Key
    completed_on: Day | None = None
    attended: bool | None = None
    score: Score | None = None
    max_score: Score | None = None
    passed: bool | None = None
    rating: Rating | None = None
    trainer_key: Key | None = None


class SurveyResponse(Fact):
    """An answer; ``respondent_key`` is a pseudonym within the survey."""

    survey_key: Key
    question_key: Key
    submitted_at: Instant
    value: float
    scale_min: float | None = None
    scale_max: float | None = None
    purpose: Literal["employee_satisfaction", "user_feedback", "collaboration", "course"] | None = None
    subject_key: Key | None = None
    respondent_key: Key | None = None
    anonymous: bool | None = None


class SurveyRound(Fact):
    """A survey and how many were asked."""

    survey_key: Key
    purpose: Literal["employee_satisfaction", "user_feedback", "collaboration", "course"]
    opened_on: Day
    closed_on: Day | None = None
    invited: Count | None = None


class LabourContract(Fact):
    """A contract; pay is stored encrypted and never leaves the server's own database."""

    employee_key: Key
    starts_on: Day
    ends_on: Day | None = None
    kind: Key | None = None
    position: Text | None = None
    duties: Text | None = None
    pay_grade: Key | None = None
    pay_min_minor: Minor | None = None
    pay_max_minor: Minor | None = None
    pay_minor: Minor | None = None
    """Monthly base."""


class AttendancePunch(Fact):
    """A punch that another system took; its verdict is shown, ours decides."""

    employee_key: Key
    punched_at: Instant
    work_date: Day | None = None
    direction: Literal["in", "out", "unknown"] | None = None
    planned_at: Instant | None = None
    location_ok: bool | None = None
    source_verdict: Key | None = None
