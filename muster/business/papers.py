"""Files of training, surveys and editors in the server's folder, with the heads that the presets expect."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from muster.business.company import Business
from muster.business.media import Article
from muster.business.rows import Span, at
from muster.business.works import Work
from muster.sample.people import DEPARTMENTS

_COURSE = ("课程编号", "工号", "开课时间", "完成日期", "出勤", "成绩", "满分", "合格", "评分", "讲师工号")
_ANSWER = ("问卷编号", "答卷编号", "提交时间", "用途", "对象", "部门编号", "问题1", "问题2")
_REGISTER = ("作品编号", "标题", "发布日期", "编辑工号", "原创")
_TOTALS = ("统计日期", "阅读", "分享", "收藏")
_ROUND = ("问卷编号", "用途", "开始日期", "结束日期", "邀请人数", "部门编号")
MEDIA_HISTORY: Mapping[str, Any] = {
    "source": "media_history",
    "title": {"zh": "公众号历史数据", "en": "Past of the official account"},
    "kind": "file",
    "streams": [
        {
            "fact": "content_post",
            "call": {"files": "media/past-articles.csv"},
            "stale_after": "400d",
            "key": {"join": ["作品编号", "统计日期"]},
            "map": {
                "platform": {"const": "wechat"},
                "account_key": {"const": "MAIN"},
                "cumulative": {"const": True},
                "post_key": "作品编号",
                "title": "标题",
                "published_on": {"path": "发布日期", "as": "date"},
                "employee_key": "编辑工号",
                "original": {"path": "原创", "as": "bool"},
                "stat_date": {"path": "统计日期", "as": "date"},
                "reads": {"path": "阅读", "as": "int"},
                "shares": {"path": "分享", "as": "int"},
                "favourites": {"path": "收藏", "as": "int"},
            },
        },
        {
            "fact": "audience_day",
            "call": {"files": "media/past-followers.csv"},
            "stale_after": "400d",
            "key": "日期",
            "map": {
                "platform": {"const": "wechat"},
                "account_key": {"const": "MAIN"},
                "stat_date": {"path": "日期", "as": "date"},
                "total_followers": {"path": "粉丝数", "as": "int"},
            },
        },
    ],
}
"""What was exported by hand when WeChat was connected: it gives articles one day a call, and a year is 365 calls."""


def write_papers(folder: Path, business: Business) -> None:
    """Write the files anew."""
    span, works = business.span, business.works
    for name in ("training", "survey", "media"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    new = [article for article in business.articles if article.sent >= span.whole_from]
    past = [article for article in business.articles if article.sent < span.whole_from]
    _write(folder / "media/register.csv", _REGISTER, map(_registered, new))
    told = [(*_registered(one), day.day, day.reads, day.shares, day.favourites) for one in past for day in one.totals]
    _write(folder / "media/past-articles.csv", (*_REGISTER, *_TOTALS), told)
    followers = [(day, total) for day, total in business.followers.items() if day < span.whole_from]
    _write(folder / "media/past-followers.csv", ("日期", "粉丝数"), followers)
    _write(folder / "training/results.csv", _COURSE, _courses(span))
    answers, rounds = _surveys(span, works)
    _write(folder / "survey/answers.csv", _ANSWER, answers)
    _write(folder / "survey/rounds.csv", _ROUND, rounds)


def _registered(article: Article) -> Sequence[object]:
    return article.key, article.title, article.sent, article.editor, "是" if article.original else "否"


def _write(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows(rows)


def _courses(span: Span) -> list[Sequence[object]]:
    pick = span.pick("courses")
    trainers = span.of("hr")
    rows: list[Sequence[object]] = []
    for number, day in enumerate(day for day in span.days() if day.weekday() == 2):
        for one in pick.sample(list(span.people), 12):
            there = pick.random() < 0.95
            score = pick.randint(55, 100) if there else ""
            passed = ("是" if int(score) >= 60 else "否") if there else ""
            rating = pick.choice(("5", "5", "4", "4.5")) if there else ""
            moment = at(day, 14).strftime("%Y-%m-%d %H:%M:%S")
            full = "100" if there else ""
            seen = (str(day), "是") if there else ("", "否")
            rows.append(
                (f"K{number:03}", one.id, moment, *seen, score, full, passed, rating, trainers[number % len(trainers)])
            )
    return rows


def _surveys(span: Span, works: Sequence[Work]) -> tuple[list[Sequence[object]], list[Sequence[object]]]:
    pick = span.pick("surveys")
    answers: list[Sequence[object]] = []
    rounds: list[Sequence[object]] = []

    def answer(survey: str, moment: str, purpose: str, *, about: str = "", department: str = "") -> None:
        one, two = (min(5, max(1, round(pick.gauss(4.35, 0.6)))) for _ in range(2))
        answers.append((survey, f"A{len(answers):05}", moment, purpose, about, department, one, two))

    for first in span.months():
        closed = first + timedelta(days=9)
        for department, *_ in DEPARTMENTS:
            people, survey = len(span.of(department)), f"S{first:%y%m}-{department}"
            if closed <= span.last:
                rounds.append((survey, "员工满意度", str(first), str(closed), people, department))
                for _ in range(round(people * 0.85)):
                    answer(survey, at(closed, 9).strftime("%Y-%m-%d %H:%M:%S"), "员工满意度", department=department)
        for designer in span.of("design"):
            for department, *_ in DEPARTMENTS[:5]:
                moment = at(first + timedelta(days=7), 11)
                if moment.date() <= span.last:
                    text = moment.strftime("%Y-%m-%d %H:%M:%S")
                    answer(f"C{first:%y%m}", text, "协作评价", about=designer, department=department)
    for work in works:
        if work.decided is not None and work.decided.date() < span.last:
            answer("FEEDBACK", work.decided.strftime("%Y-%m-%d %H:%M:%S"), "用户反馈", about=str(work.number))
    return answers, rounds
