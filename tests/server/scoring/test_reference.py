"""docs/reference/indicators.md says what the engine does."""

from pathlib import Path

from server.scoring.catalogue import default_catalogue

PAGE = (Path(__file__).parents[3] / "docs/reference/indicators.md").read_text(encoding="utf-8")


def test_every_indicator_is_described_as_it_is() -> None:
    for i in default_catalogue().indicators:
        curve = ", ".join(f"{value} → {points}" for value, points in i.curve.points)
        row = f"| `{i.id}` | {i.name_zh} / {i.name_en} | {i.unit} | {i.target} | {curve} | {i.min_sample} |"
        assert row in PAGE


def test_every_weight_set_is_described_as_it_is() -> None:
    for weight_set in default_catalogue().sets:
        whom = f"position {weight_set.position}" if weight_set.position else "everybody else"
        weights = ", ".join(f"`{name}` {weight}" for name, weight in weight_set.weights.items())
        assert f"| `{weight_set.id}` | {whom} | {weights} |" in PAGE
