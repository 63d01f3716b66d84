"""Settings: what is right loads with its defaults, what is wrong says what to change."""

from pathlib import Path

import pytest

from server.config import as_broker_user, broker_password, load_config
from shared.errors import ConfigError


def written(folder: Path, text: str) -> Path:
    path = folder / "server.toml"
    path.write_text(text)
    return path


def test_an_empty_file_is_a_server_on_sqlite_on_loopback(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, ""))
    assert config.database.url == f"sqlite:///{tmp_path}/muster.db"
    assert (config.http.host, config.http.port) == ("127.0.0.1", 8400)
    assert (config.broker.host, config.broker.port, config.broker.user) == ("127.0.0.1", 1883, "server-1")
    assert config.zone.key == "Asia/Shanghai"
    assert config.on_sqlite


def test_paths_are_relative_to_the_file_and_the_database_to_data(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, 'data = "var"\n[broker]\npassword_file = "secrets/broker"\n'))
    assert config.data == tmp_path / "var"
    assert config.database.url == f"sqlite:///{tmp_path}/var/muster.db"
    assert config.broker.password_file == tmp_path / "secrets/broker"


def test_an_absolute_sqlite_file_stays_where_it_is(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, '[database]\nurl = "sqlite:////srv/muster.db"\n'))
    assert config.database.url == "sqlite:////srv/muster.db"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 1", "prot"),
        ("[http]\nport = 70000", "$.http.port"),
        ('[http]\nport = "8400"', "$.http.port"),
        ('[broker]\nuser = "gw-0123456789"', "$.broker.user"),
        ('[site]\nzone = "Asia/Peking"', "IANA name"),
        ('[database]\nurl = "mysql://x"', "postgresql://"),
        ("[broker]\nembedded = true\nshared = true", "broker.shared = false"),
        ("= 1", "server.toml"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(written(tmp_path, text))
    assert "server.toml" in str(error.value)
    assert said in str(error.value)


def test_a_missing_file_says_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="muster server init"):
        load_config(tmp_path / "nowhere.toml")


def test_each_server_process_finds_its_own_password(tmp_path: Path) -> None:
    (tmp_path / "broker-passwords").write_text("server-1:one\nserver-2:two:with:colons\n")
    config = load_config(written(tmp_path, ""))
    assert broker_password(config.broker) == "one"
    assert broker_password(as_broker_user(config, "server-2").broker) == "two:with:colons"
    with pytest.raises(ConfigError, match="muster server broker user server-3"):
        broker_password(as_broker_user(config, "server-3").broker)
    with pytest.raises(ConfigError, match="server-NUMBER"):
        as_broker_user(config, "gw-0123456789")


@pytest.mark.parametrize("text", ["server-1", "server-1:", "gw-0123456789:x", "server-1:a\n\nnonsense"])
def test_a_broken_password_file_names_the_line_and_no_secret(tmp_path: Path, text: str) -> None:
    (tmp_path / "broker-passwords").write_text(text)
    with pytest.raises(ConfigError, match="line") as error:
        broker_password(load_config(written(tmp_path, "")).broker)
    assert "nonsense" not in str(error.value)
