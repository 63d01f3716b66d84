"""Words and marks of attendance systems in China, as far as they mean the same everywhere."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from server.reports.shadow import TheirStatus

STATUSES: tuple[TheirStatus, ...] = get_args(TheirStatus)
IGNORE = "ignore"
"""A word that a person says means nothing here."""

_WORDS: Mapping[TheirStatus, str] = {
    "normal": "正常 出勤 全勤 正常出勤 打卡正常 正 勤 班 √ ✓ ✔ ☑ ○ 〇 ◯ ● normal present ok p",
    "late": "迟到 迟 严重迟到 ☆ late",
    "early": "早退 退 early leave_early",
    "late_early": "迟到早退",
    "missing": "缺卡 漏卡 漏打卡 未打卡 忘打卡 缺勤卡 缺 missing",
    "missing_in": "上班缺卡 上班未打卡 上班漏打卡 缺上班卡 未签到 missing_in",
    "missing_out": "下班缺卡 下班未打卡 下班漏打卡 缺下班卡 未签退 missing_out",
    "absent": "旷工 旷职 旷 缺勤 旷工迟到 × ✗ ✘ x absent",
    "leave": "请假 假 休假 事假 病假 年假 年休假 婚假 产假 陪产假 护理假 育儿假 丧假 哺乳假 工伤假 探亲假 调休 调休假 "
    "事 病 年 婚 产 丧 调 伤 leave",
    "rest": "休息 休 公休 周休 轮休 例休 未排班 节假日 法定假 法定节假日 放假 节 / - — off rest",
    "overtime": "加班 加 休息日加班 节假日加班 周末加班 overtime",
    "trip": "出差 差 外出 外勤 公出 外 trip",
}
_KNOWN: Mapping[str, TheirStatus] = {word: status for status, words in _WORDS.items() for word in words.split()}
_SEPARATORS = re.compile(r"[,，;；、+＋&\n|]|(?<=\S)/(?=\S)")
_MINUTES = re.compile(r"(\d+(?:\.\d+)?)\s*(分钟|分|min|小时|h)?")
_WHEN = re.compile(r"(?:\d{4}[-/])?\d{1,2}[-/]\d{1,2}|\d{1,2}[:：]\d{2}")
_AMOUNT = re.compile(r"\d+(\.\d+)?\s*(分钟|分|min|小时|h|天|次)?")
_BRACKETS = re.compile(r"[(（\[【][^)）\]】]*[)）\]】]")
_WORST_FIRST: tuple[TheirStatus, ...] = (
    "absent", "missing_in", "missing_out", "missing", "late_early", "late", "early", "leave", "trip", "overtime",
    "normal", "rest",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a cell says: a status, minutes told in the same breath, and words that nobody knows."""

    status: TheirStatus | None
    minutes: Mapping[str, int]
    unknown: tuple[str, ...] = ()


def meaning(text: str, words: Mapping[str, str]) -> Meaning:
    """Of a word, a mark, or several of them such as ``迟到12分钟;缺卡``; ``words`` are a person's and come first."""
    found: set[TheirStatus] = set()
    minutes: dict[str, int] = {}
    unknown: list[str] = []
    for part in [text] if text.strip() in words else _SEPARATORS.split(_WHEN.sub("", text)):
        word = plain(part)
        said = words.get(part.strip()) or words.get(word) or _KNOWN.get(word)
        if said is None and word:
            unknown.append(word)
        elif said in STATUSES:
            status: TheirStatus = next(one for one in STATUSES if one == said)
            found.add(status)
            if status in ("late", "early") and (told := _MINUTES.search(part)) is not None:
                hours = told[2] in ("小时", "h")
                minutes[status] = round(float(told[1]) * (60 if hours else 1))
    if {"late", "early"} <= found:
        found.add("late_early")
    status_ = next((status for status in _WORST_FIRST if status in found), None)
    return Meaning(status_, minutes, tuple(unknown))


def plain(part: str) -> str:
    """Without times, amounts and remarks in brackets."""
    bare = _AMOUNT.sub("", _WHEN.sub("", _BRACKETS.sub("", part)))
    bare = re.sub(r"\s", "", bare).casefold()
    return bare.strip("到至~-—") or bare
