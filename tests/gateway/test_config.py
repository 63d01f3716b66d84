"""Settings are read once, completely or not at all, and the page about them is true."""

import re
from pathlib import Path

import msgspec
import pytest

from gateway.config import (
    BrokerConfig,
    BufferConfig,
    GatewayConfig,
    MetricsConfig,
    PushConfig,
    TerminalConfig,
    load_config,
)
from gateway.profile import load_profile
from shared.errors import ConfigError
from shared.scan import ScanKind

PAGE = (Path(__file__).parents[2] / "docs/reference/gateway-config.md").read_text()
SMALL = 'id = "gw-0123456789"\ndata = "d"\nzone = "Asia/Shanghai"\n[broker]\npassword_file = "p"\n'


def load(folder: Path, text: str) -> GatewayConfig:
    path = folder / "gateway.toml"
    path.write_text(text)
    return load_config(path)


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    config = load(tmp_path, SMALL + '[[terminal]]\nname = "a"\nprofile = "b/c"\nkey_file = "k"\n')
    assert (config.data, config.broker.password_file) == (tmp_path / "d", tmp_path / "p")
    assert config.terminal[0].key_file == tmp_path / "k"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id = 3", "id"),
        (SMALL.replace("gw-0123456789", "gw-1"), "gw-1"),
        (SMALL.replace("Asia/Shanghai", "Asia/Atlantis"), "Asia/Atlantis"),
        (SMALL + "port = 70000\n", "port"),
        (SMALL + 'protocol = "4"\n', "protocol"),
        (SMALL + "keepalive_s = 1\n", "keepalive_s"),
        (SMALL + "secret = 1\n", "secret"),
        (SMALL + '[[terminal]]\nname = "a"\n', "profile"),
        (SMALL + '[[terminal]]\nname = "a"\nprofile = "b/c"\nzone = "Mars"\n', "Mars"),
        (SMALL + '[[terminal]]\nname = "a"\nprofile = "b/c"\n' * 2, "twice"),
        (SMALL + "[buffer]\nquota_mib = 1\n", "quota_mib"),
        ("[[[", "gateway.toml"),
        ("\udcff", "gateway.toml"),
    ],
)
def test_a_mistake_is_named_with_file_and_key(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "gateway.toml").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigError) as error:
        load_config(tmp_path / "gateway.toml")
    assert told in str(error.value)


def test_the_page_names_every_key_and_no_other() -> None:
    named = set(re.findall(r"`([a-z_.<>]+)`", " ".join(re.findall(r"^\| (.*?) \|", PAGE, re.MULTILINE))))
    flat = {
        *(f for f in GatewayConfig.__struct_fields__ if f not in ("broker", "terminal", "push", "buffer", "metrics")),
        "metrics.host",
        *(f"broker.{f}" for f in BrokerConfig.__struct_fields__),
        *(f"buffer.{f}" for f in BufferConfig.__struct_fields__),
        *TerminalConfig.__struct_fields__,
        "push.<family>.host",
        ".port",
    }
    alarms = re.findall(r"^\| (`.*?) \|", PAGE.partition("## Alarms")[2], re.MULTILINE)
    assert named - set(re.findall(r"`([a-z_]+)`", " ".join(alarms))) == flat
    assert set(PushConfig.__struct_fields__) == set(MetricsConfig.__struct_fields__) == {"host", "port"}


def test_the_example_of_the_page_loads(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    config = load(tmp_path, example)
    assert len([load_profile(terminal.profile) for terminal in config.terminal]) == 3


def test_the_page_names_every_kind_of_scan() -> None:
    (row,) = re.findall(r"^\| `kind` .*$", PAGE, re.MULTILINE)
    assert set(re.findall(r"`([a-z_]+)`", row)) - {"kind"} == {
        kind.name.lower() for kind in ScanKind if kind is not ScanKind.UNKNOWN
    }


def test_defaults_are_those_of_the_page() -> None:
    for struct, prefix in ((BrokerConfig, "broker."), (BufferConfig, "buffer.")):
        for field in msgspec.structs.fields(struct):
            if field.default is msgspec.NODEFAULT or field.name in ("host", "port"):
                continue
            shown = field.default if isinstance(field.default, str) else f"{field.default:g}"
            assert re.search(rf"^\| `{prefix}{field.name}` \| `{shown}`", PAGE, re.MULTILINE), field.name
