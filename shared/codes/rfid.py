"""Identities of low-frequency cards: EM4100, the RDM6300 line, Wiegand 26 and 34. The key is hexadecimal.

Source: protocols/scan-devices.md of the specification.
"""

import re
from dataclasses import dataclass

from shared.errors import DataError

_HEADER = "1" * 9
_DECIMAL = re.compile(r"[0-9]{1,10}")
_PAIR = re.compile(r"([0-9]{1,3})[,. ]([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Em4100:
    """A 40-bit card; what is printed on it differs by maker."""

    number: int

    @property
    def hex(self) -> str:
        """Ten hexadecimal digits: the key."""
        return f"{self.number:010X}"

    @property
    def decimal(self) -> str:
        """``8H10D``: ten decimal digits of the low 32 bits."""
        return f"{self.number & 0xFFFF_FFFF:010}"

    @property
    def pair(self) -> str:
        """``2.5D``: byte 3 and the low 16 bits, such as ``209,23492``."""
        return f"{self.number >> 16 & 0xFF},{self.number & 0xFFFF:05}"


def em4100_of_bits(bits: str) -> Em4100:
    """The card in 64 bits: nine ones, ten rows of four with even parity, four column parities, 0."""
    if len(bits) != 64 or set(bits) - {"0", "1"} or not bits.startswith(_HEADER) or bits[-1] != "0":
        raise DataError("EM4100: expected 64 bits, nine ones in front and a zero at the end", code="bad_frame")
    rows = [bits[n : n + 5] for n in range(9, 59, 5)]
    if any(row.count("1") % 2 for row in rows):
        raise DataError("EM4100: the parity of a row is wrong", code="bad_parity")
    columns = ["".join(row[n] for row in rows) + bits[59 + n] for n in range(4)]
    if any(column.count("1") % 2 for column in columns):
        raise DataError("EM4100: the parity of a column is wrong", code="bad_parity")
    return Em4100(int("".join(row[:4] for row in rows), 2))


def em4100_bits(card: Em4100) -> str:
    """The 64 bits of a card."""
    nibbles = [f"{card.number >> shift & 15:04b}" for shift in range(36, -4, -4)]
    rows = "".join(nibble + str(nibble.count("1") % 2) for nibble in nibbles)
    columns = "".join(str(sum(nibble[n] == "1" for nibble in nibbles) % 2) for n in range(4))
    return _HEADER + rows + columns + "0"


def rdm6300_of_line(line: bytes) -> Em4100:
    """The card in what stands between STX and ETX: ten hexadecimal digits and two of their checksum."""
    body = line.strip(b"\r\n")
    try:
        data = bytes.fromhex(body.decode("ascii"))
    except ValueError:
        data = b""
    if len(body) != 12 or len(data) != 6:
        raise DataError("RDM6300: expected twelve hexadecimal digits", code="bad_frame")
    checksum = 0
    for byte in data[:5]:
        checksum ^= byte
    if checksum != data[5]:
        raise DataError("RDM6300: the checksum is wrong", code="bad_checksum")
    return Em4100(int.from_bytes(data[:5], "big"))


def low_32_of_printed(text: str) -> int:
    """The low 32 (ten digits) or 24 bits (``209,23492``) of what is printed on a card; both leave out the top."""
    text = text.strip()
    if _DECIMAL.fullmatch(text) and int(text) < 1 << 32:
        return int(text)
    if (pair := _PAIR.fullmatch(text)) and int(pair[1]) < 256 and int(pair[2]) < 65536:
        return int(pair[1]) << 16 | int(pair[2])
    raise DataError(f"card number {text[:20]!r}: expected ten digits, or two numbers such as 209,23492", "bad_frame")


@dataclass(frozen=True, slots=True)
class Wiegand:
    """What a Wiegand reader sent: 24 or 32 bits of data."""

    bits: int
    data: int

    @property
    def facility(self) -> int:
        """Facility code: all above the low 16 bits."""
        return self.data >> 16

    @property
    def number(self) -> int:
        """Card number: the low 16 bits."""
        return self.data & 0xFFFF

    @property
    def hex(self) -> str:
        """The data as hexadecimal digits: the key."""
        return f"{self.data:0{self.bits // 4}X}"

    def reversed(self) -> "Wiegand":
        """With its bytes the other way round, as some readers send the UID of a Mifare card."""
        size = self.bits // 8
        return Wiegand(self.bits, int.from_bytes(self.data.to_bytes(size, "little"), "big"))


def wiegand_of_bits(bits: str) -> Wiegand:
    """The data in 26 or 34 bits: even parity over the first half in front, odd over the second at the end."""
    if len(bits) not in (26, 34) or set(bits) - {"0", "1"}:
        raise DataError("Wiegand: expected 26 or 34 bits", code="bad_frame")
    half = len(bits) // 2
    if bits[:half].count("1") % 2 or bits[half:].count("1") % 2 == 0:
        raise DataError("Wiegand: a parity bit is wrong", code="bad_parity")
    return Wiegand(len(bits) - 2, int(bits[1:-1], 2))


def wiegand_bits(card: Wiegand) -> str:
    """The bits of a card with both parity bits."""
    data = f"{card.data:0{card.bits}b}"
    half = card.bits // 2
    return f"{data[:half].count('1') % 2}{data}{1 - data[half:].count('1') % 2}"


def is_random_uid(uid: bytes) -> bool:
    """Whether a card makes up its UID at each read (ISO 14443: four bytes, 08 in front), so that it names nobody."""
    return len(uid) == 4 and uid[0] == 0x08
