"""docs/reference/indicators.md says what the engine does."""

from docs.generate_indicators import PAGE, page


def test_the_page_is_that_of_the_indicators() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert written == page(written), "run `python docs/generate_indicators.py`"
