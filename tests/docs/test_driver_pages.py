"""The pages on bring-up and drivers name commands, options and files that exist."""

import re
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from gateway.cli import app as gateway
from gateway.cli.device import app as device
from gateway.cli.driver import app as driver
from gateway.cli.families import families
from gateway.device import Decoder, Finder, Manager, Recorder
from gateway.drivers.zk4370.driver import DRIVER

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs" / "howto" / name for name in ("bring-up.md", "write-a-driver.md")]
APPS = {"gateway": gateway, "device": device, "driver": driver}


def commands() -> list[str]:
    found = []
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            lines = (line.partition("#")[0].strip() for line in block.splitlines())
            found += [line for line in lines if line.startswith("muster ")]
    return found


@pytest.mark.parametrize("line", commands())
def test_a_command_of_the_pages_can_be_parsed(line: str) -> None:
    _, part, *words = shlex.split(line)
    command = get_command(APPS[part])
    while sub := getattr(command, "commands", {}).get(words[0] if words else ""):
        command, words = sub, words[1:]
    assert not hasattr(command, "commands"), f"{line}: {words[:1]} is no command"
    command.make_context(line, words)


def test_every_path_of_the_pages_exists() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for path in re.findall(r"`(gateway/[a-z_0-9/.]+)`", text):
            assert (ROOT / path).exists(), path
        for link in re.findall(r"\]\(([^)#]+)", text):
            assert (page.parent / link).exists(), link


def test_every_member_that_is_looked_up_is_explained() -> None:
    text = PAGES[1].read_text(encoding="utf-8")
    for kind in (Manager, Decoder, Finder, Recorder):
        assert isinstance(DRIVER, kind)
        members = [name for name in (*vars(kind), *kind.__annotations__) if not name.startswith("_")]
        assert [name for name in members if f"`{name}" not in text] == [], kind


def test_families_are_found_by_their_entry_points() -> None:
    assert {"zk4370", "zk_adms", "scanner_serial"} <= set(families())
