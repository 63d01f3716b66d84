"""What the pages say about terminals is what the gateway takes."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from docs.generate_terminals import HOW, PAGE, SCHEMA, page
from gateway.app import build_fleet
from gateway.cli.schema import profile_schema
from gateway.config import GatewayConfig, load_config
from gateway.profile import profile_folder
from shared.clock import system_clocks
from tests.support.recording_sink import RecordingSink

ROOT = Path(__file__).parents[2]
HOWTO = ROOT / "docs" / "howto" / "connect-a-terminal.md"
BASE = """
id = "gw-0123456789"
data = "data"
zone = "Asia/Shanghai"
broker = { password_file = "broker.password" }
"""


def snippets() -> list[str]:
    return re.findall(r"```toml\n(.*?)```", HOWTO.read_text(encoding="utf-8"), re.DOTALL)


def load(folder: Path, text: str) -> GatewayConfig:
    path = folder / "gateway.toml"
    path.write_text(BASE + text, encoding="utf-8")
    return load_config(path)


def test_the_list_of_terminals_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python docs/generate_terminals.py`"


MODELS = """
K14; K20; K40; F18; F19; iFace702; iFace402; iFace800; uFace800; MA300; VF680; iClock260; iClock880-H; iClock3000; U580;
T4-C; RSP10k1; SenseFace 3A; F22; SenseFace 2A; SA40; X903; K90 Pro; 3000; T-series; RS9W; Biomax; DS-K1T341AM;
DS-K1T342MWX; Prama; HiLook; ASI; SS 35xx; SS 55xx; C2; C2 Pro; T60+; VF30; VP30; OA1000; OA3000; 761; FaceDeep 5;
FacePass 7; M5; W1 Pro; F710; F810; FK628; C220; C230; E350; E350A; S7150A; BioStation 2; BioStation 3; FaceStation 2;
FaceStation F2; BioLite N2; TFS20; TFS30; WE-68 PLUS; Facial 40; BS-52; Topdata; AI Face 11; AI810; Revo W-230N;
EN-K190FTW; F80; M68; S-FB3K; Realand; Comet; 3760c; 4775; OET; iDAccess; iDFace; iDFlex; iDBlock; X916; R29; A05;
Verso; Vario; A1001; A1601; FACE200T; VEGA; DingTalk; Deli; Prisma; Super Facil; Orion 5; Virdi; Nitgen; Kaba; ZD;
Yishili; R420; FX7500; FX9600; ATR7000; Zebra; Honeywell; Datalogic; Newland; CrossChex; WeCom; Feishu; eTimeOffice;
Chaolun
"""
"""What buyers have; each is a row, or a line that says which file or cloud it takes."""


def test_every_model_of_the_list_stands_on_the_page() -> None:
    shown = page()
    assert [model for model in MODELS.replace("\n", " ").split(";") if model.strip() not in shown] == []


def test_the_schema_of_profiles_is_current() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == profile_schema(), "run `python docs/generate_terminals.py`"


def test_every_profile_fits_the_schema_and_a_misspelt_key_does_not() -> None:
    checker = Draft202012Validator(json.loads(profile_schema()))
    folder = profile_folder()
    for path in folder.rglob("*.toml"):
        facts = tomllib.loads(path.read_text(encoding="utf-8"))
        assert [error.message for error in checker.iter_errors(facts)] == [], path
    assert not checker.is_valid({**facts, "colour": 1})


def test_the_list_tells_how_each_family_connects() -> None:
    folder = profile_folder()
    families = {tomllib.loads(path.read_text(encoding="utf-8"))["family"] for path in folder.rglob("*.toml")}
    assert families - set(HOW) == set()


def test_the_howto_shows_each_way_to_connect() -> None:
    assert len(snippets()) == 4


@pytest.mark.parametrize("number", range(4))
def test_a_snippet_of_the_howto_is_taken_as_it_stands(number: int, tmp_path: Path) -> None:
    (tmp_path / "gate-1.key").write_text("0\n")
    (tmp_path / "gate-1.key").chmod(0o600)
    clocks = system_clocks()
    fleet = build_fleet(load(tmp_path, snippets()[number]), RecordingSink(), clocks, clocks.mono_ms)
    assert [str(error) for _, error in fleet.problems] == []
    assert len(fleet.tasks) == 1


def test_all_snippets_stand_in_one_file(tmp_path: Path) -> None:
    config = load(tmp_path, "\n".join(sorted(snippets(), key=lambda text: not text.startswith("[push"))))
    assert len(config.terminal) == 4
