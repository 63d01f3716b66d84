"""Whatever a gateway or the server reports has words on the page, in both languages."""

import re
from pathlib import Path

import pytest

from gateway.buffer.outbox import LEVEL_ALARMS
from server.ingest import session, transaction, watch

ROOT = Path(__file__).parents[2]
LANGUAGES = ["en", "zh-CN"]
NO_PROBLEMS = {"log_capacity"}
"""A setting that drivers' pages name beside the problems."""


def texts(language: str, group: str) -> set[str]:
    """Codes that have a text in a group of the dictionary."""
    source = (ROOT / f"web/src/app/i18n/{language}.ts").read_text()
    found = re.search(rf"^    {group}: \{{\n(.*?)^    \}}", source, re.DOTALL | re.MULTILINE)
    assert found, group
    return set(re.findall(r"^      (\w+): ", found[1], re.MULTILINE))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_alarm_has_words(language: str) -> None:
    page = (ROOT / "docs/reference/gateway-config.md").read_text()
    table = page.partition("## Alarms in health reports")[2].partition("\n## ")[0]
    of_gateway = {
        code for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for code in re.findall(r"`(\w+)`", row)
    }
    kinds = {session.CONFLICT, session.FOREIGN, watch.GAP}
    kinds |= {transaction.BAD_MESSAGE, transaction.LOST, transaction.CLONED, transaction.REVOKED, transaction.UNKNOWN}
    never_sent = {"password_file", "refused"}  # without a link there is no health report either
    assert {"hole", "no_ack", *LEVEL_ALARMS.values()} <= of_gateway
    assert (of_gateway | kinds) - never_sent - texts(language, "alarm") == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_problem_that_a_driver_shows_has_words(language: str) -> None:
    shown: set[str] = set()
    for page in (ROOT / "gateway/drivers").glob("*/README.md"):
        listed = re.search(r"\*\*Problems shown to IT:\*\*(.*?)(?:\n\n|\Z)", page.read_text(), re.DOTALL)
        shown |= set(re.findall(r"`(\w+)`", listed[1])) if listed else set()
    assert {"port_missing", "buffer_refused", "clock_drift"} <= shown
    assert shown - NO_PROBLEMS - texts(language, "advice") == set()
