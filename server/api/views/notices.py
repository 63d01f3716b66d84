"""Channels, schedules and notices."""

from typing import Literal

from pydantic import Field

from server.api.views.base import Id, NameView, View

ChannelKind = Literal["email", "people", "dingtalk", "wecom", "feishu"]
Subject = Literal["today", "exceptions", "month", "contracts", "appeals", "appeal_filed", "appeal_decided"]
Every = Literal["day", "week", "month", "event"]
Language = Literal["zh-CN", "en"]


class ChannelView(View):
    """Where notices go; a robot's address and key are never shown."""

    id: int
    kind: ChannelKind
    name: str
    recipients: list[str]
    disabled: bool
    address_tail: str
    """Last letters of a robot's address; empty when there is none."""
    has_key: bool


class ScheduleView(View):
    """What is told when, in the company's zone."""

    id: int
    report: Subject
    channel: int
    every: Every
    day: int | None
    at: str
    language: Language
    departments: list[str]
    """None: all."""
    disabled: bool
    next_ms: int | None
    """When it is due next; None while it is off, and for what is told each time it happens."""


class NoticeView(View):
    """One that was or is due."""

    id: int
    schedule: int
    channel: int
    report: Subject
    due_ms: int
    state: Literal["open", "sent", "failed"]
    attempts: int
    next_ms: int
    error: str | None
    sent_ms: int | None


class NoticesView(View):
    """Everything about notices."""

    mail: bool
    """Whether the server's settings have an SMTP server."""
    zone: str
    channels: list[ChannelView]
    schedules: list[ScheduleView]
    notices: list[NoticeView]
    """Newest first, at most 50."""
    departments: list[NameView]


class ChannelBody(View):
    """A channel as it shall be; an address or key that is left out stays."""

    kind: ChannelKind
    name: str = Field(min_length=1, max_length=100)
    recipients: list[str] = Field([], max_length=50)
    url: str | None = Field(None, max_length=1000)
    key: str | None = Field(None, max_length=200)
    disabled: bool = False


class ScheduleBody(View):
    """A schedule as it shall be."""

    report: Subject
    channel: int
    every: Every
    day: int | None = None
    at: str = Field("", max_length=5)
    """HH:MM; empty for ``event``."""
    language: Language = "zh-CN"
    departments: list[Id] = Field([], max_length=500)
    disabled: bool = False


class SavedView(View):
    """Number of what was saved."""

    id: int


class TestView(View):
    """What became of a test."""

    error: str | None
    """A code; None when it went out."""
