"""AIM identifiers (ISO/IEC 15424): the three characters by which a scanner says what symbol it read."""

_MODIFIERS = {
    "A": "0134578",
    "C": "0124",
    "d": "0123456",
    "E": "01234",
    "e": "0123",
    "F": "0124",
    "G": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm",
    "I": "013",
    "J": "1",
    "L": "012345",
    "Q": "0123456",
    "X": "0123456789ABCDEF",
    "Z": "0",
    "z": "0123456789ABC",
}
"""Modifiers by letter; Y is a case of its own, J is unassigned but for the GS1 DotCode that occurs."""
_GS1 = frozenset({"]C1", "]e0", "]d2", "]Q3", "]J1"})
_NAMES = {
    "A": "Code 39",
    "C": "Code 128",
    "d": "Data Matrix",
    "E": "EAN/UPC",
    "e": "GS1 DataBar",
    "F": "Codabar",
    "G": "Code 93",
    "I": "ITF",
    "J": "DotCode",
    "L": "PDF417",
    "Q": "QR Code",
    "X": "other",
    "Y": "system expansion",
    "Z": "no barcode",
    "z": "Aztec",
}


def split_aim(text: str) -> tuple[str, str]:
    """AIM identifier and data; the identifier is empty and the data whole unless a valid one leads it."""
    if len(text) < 3 or text[0] != "]":
        return "", text
    letter, modifier = text[1], text[2]
    if modifier in _MODIFIERS.get(letter, ""):
        return text[:3], text[3:]
    if letter == "Y" and modifier in "0123456789":
        end = 3 + int(modifier)
        return (text[:end], text[end:]) if len(text) >= end else ("", text)
    return "", text


def holds_gs1(symbology: str) -> bool:
    """Whether this identifier says that the data are GS1 element strings."""
    return symbology in _GS1


def symbol_name(symbology: str) -> str:
    """Name of the symbol for people; empty when the scanner did not say."""
    return _NAMES.get(symbology[1:2], "") if symbology[:1] == "]" else ""
