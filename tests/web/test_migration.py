"""History out of files in a browser: from the file over a dry run to a signed import, and back again."""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.web.conftest import Language, Visits
from tests.web.looks import assert_whole, in_both_languages, problems, ready

WORK_MS = 30_000
ORDERS = (
    "订单号,下单日期,状态,订单金额,币种,部门\n"
    "A1,2024-03-01,已完成,100.50,CNY,north\n"
    "A2,2024年3月2日,已完成,¥1,CNY,north\n"
    "A3,2024-04-31,已完成,5,CNY,south\n"
)


def bring(page: Page, folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(text, encoding="gb18030")
    page.locator("input[type=file]").set_input_files(path)
    expect(page.get_by_role("heading", name="哪一列是什么")).to_be_visible(timeout=WORK_MS)


def map_and_check(page: Page, source: str) -> None:
    page.get_by_label("来源名称").fill(source)
    page.get_by_label("“已完成”的含义").select_option("fulfilled")
    page.get_by_role("button", name="试运行").click()
    expect(page.get_by_role("heading", name="试运行结果")).to_be_visible(timeout=WORK_MS)


def test_it_brings_a_file_sees_what_it_would_do_imports_and_signs(visits: Visits, tmp_path: Path) -> None:
    visit = visits.open("it", "/sources")
    page = visit.page
    page.get_by_role("link", name="历史数据导入").click()
    bring(page, tmp_path, "orders.csv", ORDERS)
    expect(page.get_by_label("order_no", exact=True)).to_have_value("订单号")
    expect(page.get_by_label("amount_gross_minor", exact=True)).to_have_value("订单金额")
    assert problems(page) == []
    map_and_check(page, "old_shop")
    report = page.get_by_role("region", name="试运行结果")
    expect(report.get_by_role("row").filter(has_text="日期无法识别")).to_contain_text("第 4 行")
    expect(report.get_by_text("¥1 → 100")).to_be_visible()
    assert problems(page) == []
    page.get_by_role("button", name="导入 2 行").click()
    compared = page.get_by_role("region", name="文件与已存数据核对")
    expect(compared.get_by_text("完全一致")).to_be_visible(timeout=WORK_MS)
    expect(compared.get_by_role("row").filter(has_text="2024-03 · north · CNY")).to_contain_text("101.50")
    page.get_by_role("button", name="签收").click()
    expect(page.get_by_role("alert")).to_contain_text("请写明原因")
    page.get_by_label("说明").fill("A3 的日期有误，不导入")
    page.get_by_role("button", name="签收").click()
    expect(page.get_by_text("由 it 签收: A3 的日期有误，不导入")).to_be_visible()
    assert problems(page) == []
    assert [error for error in visit.errors if "422" not in error] == [], "a refused signature is no fault of the page"


def test_an_import_is_undone_and_a_fault_of_a_map_is_shown_at_its_line(visits: Visits, tmp_path: Path) -> None:
    page = visits.open("it", "/sources/history").page
    bring(page, tmp_path, "again.csv", ORDERS.replace("A", "B"))
    page.get_by_text("映射文件").click()
    page.get_by_label("取值很多").fill("source: x\nkind: file\nstreams: []\n")
    page.get_by_role("button", name="使用这份映射").click()
    expect(page.get_by_role("alert")).to_contain_text("第 3 行")
    map_and_check(page, "old_shop_two")
    page.get_by_role("button", name="导入 2 行").click()
    page.get_by_role("button", name="撤销导入").click(timeout=WORK_MS)
    page.get_by_role("dialog").get_by_role("button", name="撤销导入").click()
    expect(page.get_by_text("已撤销")).to_be_visible(timeout=WORK_MS)
    page.get_by_role("button", name="导入另一个文件").click()
    expect(page.get_by_role("row").filter(has_text="again.csv")).to_contain_text("已撤销")


@in_both_languages
def test_the_page_of_history_is_whole(language: Language, visits: Visits) -> None:
    visit = visits.open("it", "/sources/history", language=language)
    ready(visit.page)
    expect(visit.page.get_by_role("row").nth(1)).to_be_visible()
    assert_whole(visit, "history", language)
