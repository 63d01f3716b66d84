"""EPC identities of UHF tags: SGTIN-96 and SSCC-96.

Source: protocols/scan-devices.md of the specification; GS1 Tag Data Standard.
"""

from dataclasses import dataclass

from shared.errors import DataError

SGTIN_96, SSCC_96 = 0x30, 0x31
_PREFIX_BITS = (40, 37, 34, 30, 27, 24, 20)
"""Of the company prefix, by partition; its digits are 12 minus the partition."""
_SGTIN_BITS, _SSCC_BITS = 44, 58


@dataclass(frozen=True, slots=True)
class Epc:
    """What a tag stands for."""

    uri: str
    """Pure identity, such as ``urn:epc:id:sgtin:6901234.056789.1001``."""
    key: str
    """GTIN-14 or SSCC-18 with its check digit."""
    serial: int | None
    """None for an SSCC, which is a serial number itself."""


def decode_epc(epc_hex: str) -> Epc:
    """The identity in 24 hexadecimal digits; DataError ``no_identity`` for another header or impossible fields."""
    try:
        number = int(epc_hex, 16) if len(epc_hex) == 24 and epc_hex.isalnum() else -1
    except ValueError:
        number = -1
    if number < 0:
        raise DataError(f"EPC {epc_hex[:64]!r}: expected 24 hexadecimal digits", code="no_identity")
    header, partition = number >> 88, number >> 82 & 7
    if header not in (SGTIN_96, SSCC_96):
        raise DataError(f"EPC {epc_hex}: header {header:#04x} is neither SGTIN-96 nor SSCC-96", code="no_identity")
    if partition > 6:
        raise DataError(f"EPC {epc_hex}: partition 7 does not exist", code="no_identity")
    digits = 12 - partition
    total = _SGTIN_BITS if header == SGTIN_96 else _SSCC_BITS
    low = 82 - total
    fields = number >> low & ((1 << total) - 1)
    rest_bits = total - _PREFIX_BITS[partition]
    prefix, rest = fields >> rest_bits, fields & ((1 << rest_bits) - 1)
    rest_digits = (13 if header == SGTIN_96 else 17) - digits
    if prefix >= 10**digits or rest >= 10**rest_digits:
        raise DataError(f"EPC {epc_hex}: a field is larger than its digits allow", code="no_identity")
    company, item = f"{prefix:0{digits}}", f"{rest:0{rest_digits}}"
    key = with_check_digit(item[0] + company + item[1:])
    if header == SSCC_96:
        return Epc(f"urn:epc:id:sscc:{company}.{item}", key, None)
    serial = number & ((1 << 38) - 1)
    return Epc(f"urn:epc:id:sgtin:{company}.{item}.{serial}", key, serial)


def with_check_digit(digits: str) -> str:
    """These digits and their GS1 check digit: weights 3 and 1 from the right, modulo 10."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits)))
    return digits + str(-total % 10)
