"""A business system of which some rows do not fit: three with a state nobody knows, one paid in 2062, one contract."""

import sqlite3
import subprocess
import sys
from pathlib import Path

from tests.web.installation import Installation

SHOP = """
source: shop
kind: sql
base_url: sqlite:///{database}
timezone: Asia/Shanghai
streams:
  - fact: sales_order
    call: {{sql: "select id, state, paid, seller from orders where id > :after order by id limit :size"}}
    page: {{type: keyset, field: id, size: 100, start: 0}}
    every: 1h
    key: id
    map:
      order_no: id
      status: {{path: state, values: {{open: open}}}}
      currency: {{const: CNY}}
      amount_gross_minor: {{const: 100}}
      paid_at: {{path: paid, as: datetime}}
      employee_key: seller
    expect: {{max_reject_ratio: 1}}
  - fact: labour_contract
    call: {{sql: "select id, who, begins from contracts where id > :after order by id limit :size"}}
    page: {{type: keyset, field: id, size: 100, start: 0}}
    every: 1h
    key: id
    map:
      employee_key: who
      starts_on: {{path: begins, as: date}}
    expect: {{max_reject_ratio: 1}}
"""
ORDERS = [
    (1, "parked", None),
    (2, "parked", None),
    (3, "parked", None),
    (4, "open", "2062-01-05 10:00:00"),
    (5, "open", "2026-01-05 10:00:00"),
]


def add_waiting(server: Installation, folder: Path, seller: str) -> None:
    """Add the system, as IT does; the server reads it by itself."""
    database = folder / "shop.db"
    with sqlite3.connect(database) as shop:
        shop.execute("create table orders (id integer primary key, state text, paid text, seller text)")
        shop.executemany("insert into orders values (?, ?, ?, ?)", [(*order, seller) for order in ORDERS])
        shop.execute("create table contracts (id integer primary key, who text, begins text)")
        shop.execute("insert into contracts values (1, '7', 'soon')")
    file = folder / "shop.yaml"
    file.write_text(SHOP.format(database=database))
    words = ["-m", "muster", "connectors", "add", str(file), "--config", str(server.folder / "server.toml")]
    subprocess.run([sys.executable, *words], check=True, capture_output=True, timeout=60)
