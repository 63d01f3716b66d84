"""Which indicators have a value for whole months only, however short the days asked for."""

from server.scoring.family import parts_of
from server.scoring.formula import Shapes
from server.scoring.indicator import Indicator
from server.scoring.part import Part, read_part


def needs_whole_months(indicator: Indicator, shapes: Shapes) -> bool:
    """Whether days and weeks would say nothing or another thing.

    So it is with what looks at other days than those asked for (the former period, the 90 days before, a stock at the
    start), what asks for the period's ends, and what is booked by the month.
    """
    return any(_by_month(part, shapes) for part in parts_of(indicator))


def _by_month(part: Part, shapes: Shapes) -> bool:
    if part.window != "period" or part.stock or part.per_month:
        return True
    if any("period." in text for text in (*part.where, *part.good)):
        return True
    date = read_part(part, shapes).date
    return (date is not None and date.kind == "month") or (part.also is not None and _by_month(part.also, shapes))
