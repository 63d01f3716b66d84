"""What the page about business systems needs beside the shared company: one that answers and one that can not."""

import sqlite3
import subprocess
import sys
from pathlib import Path

from tests.web.installation import Installation

ORDERS = """
source: erp
title: {{zh: "进销存", en: "Stock system"}}
kind: sql
base_url: sqlite:///{database}
timezone: Asia/Shanghai
streams:
  - fact: sales_order
    call: {{sql: "select id, total from orders where id > :after order by id limit :size"}}
    page: {{type: keyset, field: id, size: 100, start: 0}}
    every: 1h
    key: id
    map:
      order_no: id
      status: {{const: open}}
      currency: {{const: CNY}}
      amount_gross_minor: {{path: total, as: money_minor}}
"""
BROKEN = """
source: old_books
title: {{zh: "旧账", en: "Old books"}}
kind: sql
base_url: sqlite:///{database}
timezone: Asia/Shanghai
streams:
  - fact: ledger_entry
    call: {{sql: "select entry, day from no_such_table"}}
    every: 1h
    key: entry
    map:
      posted_on: {{path: day, as: date}}
"""


def add_sources(server: Installation, folder: Path) -> None:
    """Add both, as IT does; safe to repeat."""
    database = folder / "erp.db"
    with sqlite3.connect(database) as erp:
        erp.execute("create table if not exists orders (id integer primary key, total numeric)")
        erp.executemany("insert or replace into orders values (?, ?)", [(number, number) for number in range(1, 8)])
    for name, text in (("erp", ORDERS), ("old_books", BROKEN)):
        file = folder / f"{name}.yaml"
        file.write_text(text.format(database=database))
        words = ["-m", "muster", "connectors", "add", str(file), "--config", str(server.folder / "server.toml")]
        subprocess.run([sys.executable, *words], check=True, capture_output=True, timeout=60)
