"""Writes docs/reference/terminals.md and profile.schema.json: ``python docs/generate_terminals.py``."""

from functools import cache
from pathlib import Path

from gateway.app import load_driver
from gateway.cli.schema import profile_schema
from gateway.device import Ability
from gateway.profile import Profile, load_profile, profile_folder
from shared.errors import ConfigError

PAGE = Path(__file__).parent / "reference" / "terminals.md"
SCHEMA = PAGE.with_name("profile.schema.json")
PULL, PUSH, BOTH = "pull", "push", "pull and push"
HOW = {
    "2n": PULL,
    "aiface_ws": PUSH,
    "akuvox": PULL,
    "anviz": BOTH,
    "axis": PULL,
    "controlid": BOTH,
    "custom": PUSH,
    "dahua": BOTH,
    "file_import": "files",
    "fkweb": PUSH,
    "handheld_http": PUSH,
    "hanvon": PULL,
    "hikvision": BOTH,
    "llrp": PULL,
    "matrix_cosec": PULL,
    "reader_mqtt": "MQTT",
    "scanner_hid": "USB keyboard",
    "scanner_serial": "serial line",
    "scanner_ssi": "serial line (SSI)",
    "scanner_tcp": "TCP",
    "suprema": PULL,
    "uniview": PUSH,
    "zk4370": BOTH,
    "zk_adms": PUSH,
}
"""By family: pull = the gateway asks, push = the terminal tells."""
WORDS = {
    Ability.INFO: "info",
    Ability.CLOCK: "read clock",
    Ability.SET_CLOCK: "set clock",
    Ability.USERS: "list users",
    Ability.WRITE_USERS: "change users",
    Ability.LOG: "read log",
    Ability.WATCH: "live",
}
HEAD = """# Terminals and scanners

Written by `docs/generate_terminals.py` from `firmware-profiles/`; do not edit. {models} models of {brands} brands.
`profile` is what `gateway.toml` takes ([how to connect one](../howto/connect-a-terminal.md)). Connection: `pull` the
gateway asks, `push` the terminal tells. Features: what `muster gateway info`, `clock`, `users`, `pull` and `watch` can
ask of it. Evidence: `untested` (facts from documents and other people's code), `bronze` (decodes captures), `silver`
(bench-tested), `gold` (fielded). Grades of sources: A independent implementations or captures agree, B one
implementation or vendor document, C hearsay. An editor checks profiles by [their schema](profile.schema.json).

| brand | model | firmware seen | profile | family | connection | features | evidence | sources |
|---|---|---|---|---|---|---|---|---|
"""

ELSEWHERE = """
## Terminals that no gateway can reach

They talk to their vendor's cloud or program only, or nothing public says how they talk. Export the punches there and
import the file; the profile says which columns. [How to import files](../howto/connect-scanners-and-files.md).

| brand | devices | way | profile |
|---|---|---|---|
| Anviz | terminals set to CrossChex Cloud | cloud: file; set to TCP they stand in the table above | `generic/table` |
| Chaolun | 250X | program with a DLL: file | `generic/table` |
| Deli 得力 | DingTalk editions: cloud; LAN models: program | file | `deli/export` |
| DingTalk 钉钉 | M1, M1C, M2, D1, P1 | cloud: file | `generic/table` |
| eTimeOffice | Indian rebadges that report to it | cloud: file | `generic/table` |
| Feishu 飞书 | its own machines | cloud: file | `generic/table` |
| Kaba, dormakaba | B-web | program: file | `kaba/export` |
| Nitgen | NAC, eNBSS | program: file | `nitgen/export` |
| Realtime | RS9W | posts JSON of its own to a web address: translate it for the custom interface | `generic/custom` |
| Virdi | UNIS | program: file | `virdi/export` |
| WeCom 企业微信 | certified terminals | cloud: file | `generic/table` |
| Yishili 依时利 | all | program: file | `yishili/export` |
| ZD 真地 | all | program: file | `zd/export` |
"""


def page() -> str:
    """The whole page: one row a profile, by brand and model; then what has none of its own."""
    folder = profile_folder()
    names = (str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.toml"))
    profiles = {name: load_profile(name) for name in names}
    by_brand = sorted(profiles.items(), key=lambda item: (item[1].brand.lower(), item[1].model.lower(), item[0]))
    models = {(profile.brand, profile.model) for profile in profiles.values()}
    head = HEAD.format(models=len(models), brands=len({brand.lower() for brand, _ in models} - {"generic"}))
    return head + "".join(_row(name, profile) for name, profile in by_brand) + ELSEWHERE


def _row(name: str, profile: Profile) -> str:
    how = HOW.get(profile.family, profile.link.transport)
    seen = "; ".join(profile.firmware) or "-"
    sources = "; ".join(dict.fromkeys(f"{source.origin} ({source.grade})" for source in profile.source))
    features = _features(profile.family)
    cells = (profile.brand, profile.model, seen, f"`{name}`", profile.family, how, features, profile.evidence, sources)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


@cache
def _features(family: str) -> str:
    """What its driver lets a person ask; a dash where that is nothing."""
    try:
        abilities: frozenset[Ability] = getattr(load_driver(family), "abilities", frozenset())
    except ConfigError:  # its library is not installed here
        return "-"
    return ", ".join(word for ability, word in WORDS.items() if ability in abilities) or "-"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    SCHEMA.write_text(profile_schema(), encoding="utf-8")
