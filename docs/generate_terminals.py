"""Writes docs/reference/terminals.md from the firmware profiles: ``python docs/generate_terminals.py``."""

from pathlib import Path

from gateway.profile import Profile, load_profile, profile_folder

PAGE = Path(__file__).parent / "reference" / "terminals.md"
HOW = {"zk4370": "pull", "zk_adms": "push", "scanner_serial": "serial line"}
"""Who calls whom, by family."""
HEAD = """# Terminals and scanners

Written by `docs/generate_terminals.py` from `firmware-profiles/`; do not edit. `profile` is what `gateway.toml` takes
([how to connect one](../howto/connect-a-terminal.md)). Evidence: `untested` (facts from documents and other people's
code), `bronze` (decodes captures), `silver` (bench-tested), `gold` (fielded). Grades of sources: A independent
implementations or captures agree, B one implementation or vendor document, C hearsay.

| brand | model | firmware seen | profile | family | connection | evidence | sources |
|---|---|---|---|---|---|---|---|
"""


def page() -> str:
    """The whole page: one row a profile, by brand and model."""
    folder = profile_folder()
    names = (str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.toml"))
    profiles = {name: load_profile(name) for name in names}
    by_brand = sorted(profiles.items(), key=lambda item: (item[1].brand.lower(), item[1].model.lower(), item[0]))
    return HEAD + "".join(_row(name, profile) for name, profile in by_brand)


def _row(name: str, profile: Profile) -> str:
    how = HOW.get(profile.family, profile.link.transport)
    seen = "; ".join(profile.firmware) or "-"
    sources = "; ".join(dict.fromkeys(f"{source.origin} ({source.grade})" for source in profile.source))
    cells = (profile.brand, profile.model, seen, f"`{name}`", profile.family, how, profile.evidence, sources)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
