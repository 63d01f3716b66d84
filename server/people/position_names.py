"""What positions are called that ship with sets of weights or with the sample, where a company has named none itself.

The ids are those of ``server/scoring/defaults/weights.toml``.
"""

from collections.abc import Mapping

SHIPPED: Mapping[str, tuple[str, str]] = {
    "courier": ("配送员", "Courier"),
    "sorter": ("分拣员", "Sorter"),
    "sales_rep": ("销售代表", "Sales representative"),
    "accountant": ("会计", "Accountant"),
    "cashier_treasury": ("资金专员", "Treasury"),
    "recruiter": ("招聘专员", "Recruiter"),
    "trainer": ("培训专员", "Trainer"),
    "cs_agent": ("客服专员", "Service agent"),
    "video_editor": ("短视频编辑", "Video editor"),
    "operator": ("运营专员", "Operator"),
    "designer": ("设计师", "Designer"),
}
"""Chinese and English by id."""


def shipped_name(position: str) -> tuple[str, str]:
    """Chinese and English; the id itself for one that does not ship."""
    return SHIPPED.get(position, (position, position))
