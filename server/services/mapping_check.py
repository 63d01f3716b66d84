"""What a map makes of replies that somebody saved: as ``muster connectors map`` does, for a page."""

from collections.abc import Sequence
from dataclasses import dataclass

from server.connectors.errors import Problem, SourceFileError
from server.connectors.presets import load_preset, preset_names
from server.connectors.saved import Outcome, Saved, map_saved
from server.connectors.source_file import Source, read_source
from server.facts.catalogue import SEALED
from shared.errors import DataError


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of the replies; or what is wrong with the source file, and then there is nothing else."""

    outcome: Outcome
    problems: tuple[Problem, ...] = ()


def check_map(preset: str | None, text: str | None, replies: Sequence[Saved]) -> Checked:
    """Map replies by a preset or by a source file; nobody is asked, nothing is stored, pay is masked.

    DataError ``no_preset``, ``no_stream``.
    """
    try:
        source = _source(preset, text)
    except SourceFileError as error:
        return Checked(Outcome(), error.problems)
    for saved in replies:
        if saved.stream is not None and all(saved.stream not in (one.id, one.fact) for one in source.streams):
            raise DataError(f"{source.source} has no stream {saved.stream}", "no_stream", {"stream": saved.stream})
    return Checked(map_saved(source, replies, SEALED))


def presets() -> list[Source]:
    """Every preset, by name."""
    return [load_preset(name) for name in preset_names()]


def _source(preset: str | None, text: str | None) -> Source:
    if text is not None:
        return read_source(text, "source.yaml")
    if preset not in preset_names():
        raise DataError(f"no preset {preset}", "no_preset")
    return load_preset(preset)
