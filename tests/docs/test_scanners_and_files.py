"""The page about scanners and files shows settings that work as they stand."""

import re
from importlib import import_module
from pathlib import Path

import pytest

from gateway.config import GatewayConfig, load_config
from gateway.driver import Terminal, TerminalState
from gateway.profile import load_profile
from tests.support.recording_sink import RecordingSink, TurnedClock, context

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "connect-scanners-and-files.md"
SNIPPETS = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
BASE = """
id = "gw-0123456789"
data = "data"
zone = "Asia/Shanghai"
broker = { password_file = "broker.password" }
"""


def load(folder: Path, text: str) -> GatewayConfig:
    (folder / "secret.key").write_text("sixteen-random-characters")
    (folder / "gateway.toml").write_text(BASE + text, encoding="utf-8")
    return load_config(folder / "gateway.toml")


def test_the_page_shows_every_family() -> None:
    names = {load_profile(re.search(r'profile = "(.*?)"', text)[1]).family for text in SNIPPETS}  # type: ignore[index]
    assert names == {
        "scanner_tcp",
        "scanner_hid",
        "scanner_ssi",
        "llrp",
        "reader_mqtt",
        "handheld_http",
        "file_import",
    }


@pytest.mark.parametrize("text", SNIPPETS, ids=lambda text: re.search(r'name = "(.*?)"', text)[1])  # type: ignore[index]
def test_a_snippet_is_taken_as_it_stands(text: str, tmp_path: Path) -> None:
    config = load(tmp_path, text)
    (listed,) = config.terminal
    profile = load_profile(listed.profile)
    one = Terminal(listed, profile, config.zone, TerminalState(listed.name, listed.profile))
    driver = import_module(f"gateway.drivers.{profile.family}.driver").DRIVER
    given = context(RecordingSink(), TurnedClock(), config.push.get(profile.family))
    assert len(driver.tasks([one], given)) == 1
