"""Business systems, how they do, and what maps make of saved replies. Never a source's file: it names its secrets."""

from typing import Any, Literal

from pydantic import Base64Bytes, Field, model_validator

from server.api.views.base import Id, View


class RunView(View):
    """A run and what became of its rows."""

    id: int
    stream: str
    kind: str
    state: str
    actor: str
    map_version: int
    started_ms: int
    ended_ms: int | None
    pages: int
    of: int | None
    """Pages there are, where that is known before."""
    added: int
    changed: int
    unchanged: int
    waiting: int
    deleted: int
    error: str | None
    message: str
    """For IT, as the commands print it; secrets are masked."""


class RunsView(View):
    """A page of runs, newest first."""

    total: int
    rows: list[RunView]


class AskedView(View):
    """What a person wants done with a stream and what is not begun or not through yet."""

    work: Literal["run", "whole", "replay"]
    actor: str
    at_ms: int


class SourceStreamView(View):
    """A stream and how far it has been read."""

    stream: str
    fact: str
    every: str
    watermark_ms: int | None
    """Up to when its events are known."""
    last_ok_ms: int | None
    """When it was read whole last."""
    lag_ms: int | None
    """How long ago that is."""
    stale: bool
    """Nothing may be scored by it."""
    next_ms: int | None
    """When it is due; null: at once, or never where it sends by itself."""
    asked: AskedView | None
    newest: RunView | None


class PastRunView(View):
    """A bar of the small plot."""

    started_ms: int
    stream: str
    state: str
    rows: int


class SourceView(View):
    """A business system."""

    id: str
    name_zh: str
    name_en: str
    kind: str
    zone: str
    standing: str
    failures: int
    """Runs in a row that did not end well."""
    map_version: int
    watermark_ms: int | None
    """Of the stream that is behind most."""
    lag_ms: int | None
    next_ms: int | None
    busy: bool
    """Something is running or asked for: look again soon."""
    streams: list[SourceStreamView]
    history: list[PastRunView]
    """The last runs, oldest first."""
    errors: list[RunView]
    """Of the streams' newest runs those that did not end well."""


class SourcesView(View):
    """Every source, by id."""

    now_ms: int
    rows: list[SourceView]


class RunBody(View):
    """What is to be done: with one stream, or with all."""

    stream: Id | None = None
    whole: bool = False
    """Read everything, and mark what is gone."""
    confirmed: bool = False
    """More than a fifth of the rows may be gone."""


class ReplayBody(View):
    """Of one stream, or of all."""

    stream: Id | None = None


class OrderedView(View):
    """Streams that are going to be worked on; the source tells how that goes."""

    streams: list[str]


class PresetView(View):
    """A preset and its streams."""

    name: str
    name_zh: str
    name_en: str
    streams: list[str]


class PresetsView(View):
    """Every preset, by name."""

    rows: list[PresetView]


class PresetTextView(View):
    """A preset as a file, to be copied and changed; secrets are references."""

    text: str


class SampleBody(View):
    """A reply that somebody saved."""

    name: str = Field(min_length=1, max_length=200)
    stream: Id | None = None
    """None: the stream whose rows fit best."""
    body: Base64Bytes


class CheckBody(View):
    """A map, by preset or as a file, and replies."""

    preset: Id | None = None
    source: str | None = Field(None, max_length=200_000)
    """A source file."""
    samples: list[SampleBody] = Field(min_length=1, max_length=20)

    @model_validator(mode="after")
    def _one_map(self) -> "CheckBody":
        if (self.preset is None) == (self.source is None):
            raise ValueError("either a preset or a source file")
        return self


class MapProblemView(View):
    """A fault of a source file."""

    line: int
    where: str
    fact: str


class OriginView(View):
    """A row as it came, and where what it became stands."""

    file: str
    row: int
    raw: Any
    """Null where it may hold pay."""
    fits: bool
    at: int
    """Place in ``rows`` where it fits, else in ``quarantine``."""


class CheckedMapView(View):
    """``rows``, ``quarantine`` and ``errors`` are what ``muster connectors map`` prints."""

    rows: list[dict[str, Any]]
    quarantine: list[dict[str, Any]]
    errors: list[dict[str, Any]]
    origins: list[OriginView]
    problems: list[MapProblemView]
    """What is wrong with the source file; then nothing was mapped."""
