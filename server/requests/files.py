"""Documents that people attach: known by their content, named harmlessly."""

import unicodedata

from shared.errors import DataError

LARGEST = 10 * 1024 * 1024
MOST_FILES = 5
_LONGEST_NAME = 120

_STARTS: tuple[tuple[bytes, str, str], ...] = (
    (b"%PDF-", "application/pdf", ".pdf"),
    (b"\xff\xd8\xff", "image/jpeg", ".jpg"),
    (b"\x89PNG\r\n\x1a\n", "image/png", ".png"),
)


def media_type(content: bytes) -> str:
    """Type by the first bytes; DataError ``file_type`` for anything but PDF, JPEG, PNG and WebP."""
    return _known(content)[0]


def safe_name(name: str, content: bytes) -> str:
    """The last part of a file's name without what a file system or a header could stumble over, with a fitting end."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    kept = "".join(c for c in last if unicodedata.category(c)[0] != "C" and c not in '"<>:|?*;').strip(" .")
    ending = _known(content)[1]
    stem = kept.rpartition(".")[0] or kept
    return f"{(stem or 'document')[:_LONGEST_NAME]}{ending}"


def _known(content: bytes) -> tuple[str, str]:
    if not content:
        raise DataError("the file is empty: choose another", "file_empty")
    for start, kind, ending in _STARTS:
        if content.startswith(start):
            return kind, ending
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp", ".webp"
    raise DataError("the file is no PDF, JPEG, PNG or WebP: save it as one of these", "file_type")
