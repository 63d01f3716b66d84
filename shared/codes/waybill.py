"""Which carriers a code may belong to. Candidates only: no scan is refused because no pattern fits, the TMS decides.

Source: protocols/waybills.md of the specification; patterns of Chinese carriers are of 2022 to 2024 and overlap.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

LENGTH_LIMIT = 64
"""Characters of a waybill; a longer text is something else."""
CHECKED = 1000
"""Specificity that a right check digit is worth: more than any pattern."""

_S10_WEIGHTS = (8, 6, 4, 2, 3, 5, 9, 7)
_FEDEX_WEIGHTS = (3, 1, 7)
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SUB_PARCEL = re.compile(r"(.{6,}?)-(\d{1,4})-(\d{1,4})-?")
_URL = re.compile(r"(?i:https?)://[^\s]+")
_COUNTRY_LIST = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC
CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD
GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH
KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW
MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC
SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY
UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
_COUNTRIES = frozenset(_COUNTRY_LIST.split())
"""ISO 3166-1."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A carrier that may have given out this number."""

    carrier: str
    """Short code such as ``SF``, ``YTO``, ``UPS``; ``S10`` is any post."""
    reason: str
    """The pattern that fits, for people."""
    checked: bool
    """Its check digit is right."""
    specificity: int
    """The larger the less it can be somebody else's."""


@dataclass(frozen=True, slots=True)
class Waybill:
    """A code as a waybill."""

    number: str
    """In upper case, without blanks and hyphens and without the tail of a sub-parcel: for matching, not for storing."""
    candidates: tuple[Candidate, ...]
    """Most specific first; empty when no pattern fits."""
    part: tuple[int, int] | None = None
    """``-1-3-`` behind the number: the first of three parcels."""


def classify(code: str) -> Waybill:
    """The candidates of a code as scanned, without AIM identifier."""
    text = code.strip().upper()
    if len(text) > LENGTH_LIMIT:
        return Waybill(text, ())
    part = None
    if found := _SUB_PARCEL.fullmatch(text):
        text, part = found[1], (int(found[2]), int(found[3]))
    number = re.sub(r"[\s-]", "", text)
    if not (number.isascii() and number.isalnum()):
        return Waybill(number, (), part)
    candidates = [*_checked(number), *_patterned(number)]
    return Waybill(number, tuple(sorted(candidates, key=lambda c: (-c.specificity, c.carrier))), part)


def waybill_in(text: str) -> str:
    """The part of an electronic waybill's QR code (URL, or ``code,extra``) that is the number; else the whole text."""
    if len(text) > 2048:
        return text
    if _URL.fullmatch(text.strip()):
        parts = re.split(r"[/?&=#,;:]", text.strip())
    elif "," in text:
        parts = [text.partition(",")[0]]
    else:
        return text
    ranked = [(max((c.specificity for c in classify(part).candidates), default=-1), part) for part in parts if part]
    best = max(ranked, key=lambda entry: entry[0], default=(-1, text))
    return best[1] if best[0] >= 0 else text


# --- numbers with a check digit -------------------------------------------------------------------------------------


def s10_check(serial: str) -> int:
    """Check digit of the eight digits of an S10 number."""
    remainder = sum(int(digit) * weight for digit, weight in zip(serial, _S10_WEIGHTS, strict=True)) % 11
    return {0: 5, 1: 0}.get(remainder, 11 - remainder)


def is_s10(number: str) -> bool:
    """``EE473124829CN``: two letters, eight digits, check digit, a country that exists."""
    found = re.fullmatch(r"[A-Z]{2}([0-9]{8})([0-9])([A-Z]{2})", number)
    return found is not None and found[3] in _COUNTRIES and s10_check(found[1]) == int(found[2])


def is_ups(number: str) -> bool:
    """``1Z`` and 16 characters, the last a check digit; letters count as (code - 3) modulo 10, every second twice."""
    if not re.fullmatch(r"1Z[0-9A-Z]{15}[0-9]", number):
        return False
    values = [int(char) if char.isdigit() else (ord(char) - 3) % 10 for char in number[2:17]]
    total = sum(value * (2 if place % 2 else 1) for place, value in enumerate(values))
    return -total % 10 == int(number[17])


def is_usps(number: str) -> bool:
    """20 or 22 digits, weights 3 and 1 from the right, modulo 10."""
    if not re.fullmatch(r"[0-9]{20}|[0-9]{22}", number):
        return False
    total = sum(int(digit) * (1 if place % 2 == 0 else 3) for place, digit in enumerate(reversed(number)))
    return total % 10 == 0


def is_fedex(number: str) -> bool:
    """12 digits, weights 3 1 7, modulo 11 and 10."""
    if not re.fullmatch(r"[0-9]{12}", number):
        return False
    total = sum(int(digit) * _FEDEX_WEIGHTS[place % 3] for place, digit in enumerate(number[:11]))
    return total % 11 % 10 == int(number[11])


def is_dhl(number: str) -> bool:
    """10 or 11 digits, the last is the others modulo 7."""
    return bool(re.fullmatch(r"[0-9]{10,11}", number)) and int(number[:-1]) % 7 == int(number[-1])


def is_dpd(number: str) -> bool:
    """14 digits and a check character (ISO 7064 modulo 37, 36)."""
    return bool(re.fullmatch(r"[0-9]{14}[0-9A-Z]", number)) and mod_37_36(number[:-1]) == number[-1]


def mod_37_36(text: str) -> str:
    """Check character of ISO 7064, modulo 37 and 36."""
    state = 36
    for char in text:
        state = ((state + _ALPHABET.index(char)) % 36 or 36) * 2 % 37
    return _ALPHABET[(37 - state) % 36]


@dataclass(frozen=True, slots=True)
class _Check:
    carrier: str
    test: Callable[[str], bool]
    reason: str
    specificity: int


_CHECKS = (
    _Check("S10", is_s10, "S10 with its check digit and country", CHECKED + 40),
    _Check("UPS", is_ups, "1Z with its check digit", CHECKED + 30),
    _Check("USPS", is_usps, "20 or 22 digits with their check digit", CHECKED + 10),
    _Check("DPD", is_dpd, "14 digits with their check character", CHECKED + 10),
    # One of ten, or of seven, numbers of this length has such a check digit by chance: Chinese prefixes go first.
    _Check("FEDEX", is_fedex, "12 digits with their check digit", 15),
    _Check("DHL", is_dhl, "10 or 11 digits with their check digit", 14),
)


def _checked(number: str) -> list[Candidate]:
    found = [Candidate(c.carrier, c.reason, True, c.specificity) for c in _CHECKS if c.test(number)]
    if found and found[0].carrier == "S10" and number.endswith("CN"):
        found.insert(0, Candidate("EMS", "S10 of China Post", True, CHECKED + 50))
    return found


# --- numbers with a pattern only ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Pattern:
    carrier: str
    pattern: re.Pattern[str]
    reason: str
    specificity: int
    """Ten for each character that is fixed, less for each length that would do too."""


def _pattern(carrier: str, pattern: str, reason: str, specificity: int) -> _Pattern:
    return _Pattern(carrier, re.compile(pattern), reason, specificity)


_YUNDA = "1[0-9]|31|43|46|50|55|58|66|77|80|88"
_PATTERNS = (
    _pattern("SF", r"SF[0-9]{13}", "SF and 13 digits", 90),
    _pattern("SF", r"[0-9]{12}", "12 digits (older numbers)", 3),
    _pattern("SF", r"[0-9]{15}", "15 digits (some sub-orders)", 2),
    _pattern("YUNEXPRESS", r"YT[0-9]{16}", "YT and 16 digits", 90),
    _pattern("AMAZON", r"TBA[0-9]{12}", "TBA and 12 digits", 95),
    _pattern("YTO", r"YT[0-9]{13}", "YT and 13 digits", 90),
    _pattern("YTO", r"(?=.*[A-Z])[0-9A-Z]{2}[0-9]{8,13}", "two characters and 8 to 13 digits (older numbers)", 4),
    _pattern("YTO", r"[6-9][0-9]{17}", "18 digits, the first from 6 to 9 (older numbers)", 8),
    _pattern("ZTO", r"7[3-8][0-9]{12}", "14 digits from 73 to 78", 20),
    _pattern("ZTO", r"[0-9]{12}", "12 digits", 3),
    _pattern("STO", r"77[0-9]{13}", "77 and 13 digits", 21),
    _pattern("STO", r"(?:[2-9]68|[568]88)[0-9]{9,10}", "12 or 13 digits from 268 to 968, 588, 688 or 888", 28),
    _pattern("YUNDA", rf"(?:{_YUNDA})(?:[0-9]{{11}}|[0-9]{{13}})", "13 or 15 digits with a prefix of 韵达", 18),
    _pattern("YUNDA", r"[0-9]{13}", "13 digits", 3),
    _pattern("JT", r"JT[0-9]{12,13}", "JT and 12 or 13 digits", 89),
    _pattern("JD", r"JD[0-9A-Z]{11,13}", "JD and 11 to 13 characters", 87),
    _pattern("DBL", r"DPK[0-9]{11,12}", "DPK and 11 or 12 digits", 94),
    _pattern("DBL", r"[0-9]{8,10}", "8 to 10 digits", 1),
    _pattern("YZPY", r"9[689][0-9]{11}", "13 digits from 96, 98 or 99", 20),
    _pattern("EMS", r"(?:1[01]|5[01]|9[57])[0-9]{11}", "13 digits from 10, 11, 50, 51, 95 or 97", 20),
    _pattern("HTKY", r"[ABDE][0-9]{12}", "A, B, D or E and 12 digits", 60),
    _pattern("HTKY", r"BXA[0-9A-Z]{6,15}", "BXA in front", 80),
    _pattern("HTKY", r"K8[0-9A-Z]{6,15}", "K8 in front", 60),
    _pattern("HTKY", r"[0-9]{12,14}", "12 to 14 digits", 1),
    _pattern("ZJS", r"ZJS[0-9]{12}", "ZJS and 12 digits", 95),
    _pattern("ZJS", r"A[0-9]{12}", "A and 12 digits", 61),
    _pattern("ZJS", r"[0-9A-Z]{10}", "10 characters", 1),
)


def _patterned(number: str) -> list[Candidate]:
    """One candidate a carrier, by its most specific pattern."""
    best: dict[str, _Pattern] = {}
    for entry in _PATTERNS:
        if entry.pattern.fullmatch(number) and (
            entry.carrier not in best or best[entry.carrier].specificity < entry.specificity
        ):
            best[entry.carrier] = entry
    return [Candidate(entry.carrier, entry.reason, False, entry.specificity) for entry in best.values()]
