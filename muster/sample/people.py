"""Departments, depots and people of the sample company."""

import random
from dataclasses import dataclass

SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗"
GIVEN = (
    *"伟芳娜敏静强磊洋艳勇军杰娟涛明超霞平刚",
    *("秀兰", "桂英", "建华", "文静", "子涵", "浩然", "雨桐", "欣怡", "思远", "嘉怡", "俊杰"),
    *("晓东", "海燕", "志强", "丽华", "建国", "玉梅", "晨曦", "立新", "春梅", "家豪"),
)


@dataclass(frozen=True, slots=True)
class Depot:
    """A site and the serial number of the terminal at whose door its people punch."""

    id: str
    name_zh: str
    name_en: str
    terminal: str


@dataclass(frozen=True, slots=True)
class Post:
    """So many people of one department with the same work and shift; they stand at ``depots`` in turn."""

    department: str
    position: str
    people: int
    shifts: tuple[str, ...]
    depots: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """One employee; ``number`` is the user number on every terminal of the company."""

    id: str
    number: str
    name: str
    department: str
    position: str
    depot: str
    shift: str


DEPARTMENTS = (
    ("logistics", "物流发展部", "Logistics Development"),
    ("business", "业务发展部", "Business Development"),
    ("finance", "财务部", "Finance"),
    ("hr", "人力资源部", "Human Resources"),
    ("operations", "运营部", "Operations"),
    ("customer_service", "客服部", "Customer Service"),
    ("design", "设计部", "Design"),
    ("new_media", "新媒体发展部", "New Media Development"),
)

DEPOTS = (
    Depot("d1", "余杭仓", "Yuhang depot", "CKUH212360051"),
    Depot("d2", "萧山仓", "Xiaoshan depot", "CKUH212360052"),
    Depot("d3", "钱塘仓", "Qiantang depot", "CQZ7222460103"),
    Depot("d4", "临平仓", "Linping depot", "CQZ7222460104"),
    Depot("d5", "富阳站", "Fuyang depot", "CQZ7222460104"),
)
"""The people of Fuyang punch at the door of Linping: a depot may have scanners only."""

SHIFTS = (
    ("day", "白班", "Day", "09:00", "18:00", (("12:00", "13:00"),)),
    ("early", "早班", "Early", "07:00", "15:30", (("11:00", "11:30"),)),
    ("late", "晚班", "Late", "13:30", "22:00", (("17:30", "18:00"),)),
)

EVERY_DEPOT = ("d1", "d2", "d3", "d4", "d5")
OFFICES = ("d1", "d2")
POSTS = (
    Post("logistics", "courier", 15, ("day",), EVERY_DEPOT),
    Post("logistics", "sorter", 9, ("early", "late"), EVERY_DEPOT),
    Post("business", "sales_rep", 6, ("day",), OFFICES),
    Post("finance", "accountant", 4, ("day",), ("d1",)),
    Post("hr", "recruiter", 4, ("day",), ("d1",)),
    Post("operations", "operator", 6, ("day",), OFFICES),
    Post("customer_service", "cs_agent", 8, ("early", "late"), ("d1", "d3")),
    Post("design", "designer", 4, ("day",), ("d2",)),
    Post("new_media", "video_editor", 4, ("day",), ("d2",)),
)


def make_people(seed: int) -> tuple[Person, ...]:
    """Sixty people, no name twice; numbers 1001 and on."""
    pick = random.Random(f"people {seed}")
    names = [surname + given for surname in SURNAMES for given in GIVEN]
    pick.shuffle(names)
    made: list[Person] = []
    for post in POSTS:
        for turn in range(post.people):
            number = 1001 + len(made)
            made.append(
                Person(
                    id=f"e{number}",
                    number=str(number),
                    name=names[len(made)],
                    department=post.department,
                    position=post.position,
                    depot=post.depots[turn % len(post.depots)],
                    shift=post.shifts[turn % len(post.shifts)],
                )
            )
    return tuple(made)
