"""Rows of a SQLite file into another by dlt, keyed and replaced as ours are; runs in an environment that has dlt.

Arguments: the file, the folder of what dlt keeps. Prints seconds from the first row asked for to the last one stored.
"""

import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

PAGE = 1_000


def main() -> None:
    """One pull."""
    path, folder = Path(sys.argv[1]), Path(sys.argv[2])
    os.environ |= {"DLT_DATA_DIR": str(folder), "RUNTIME__DLTHUB_TELEMETRY": "false"}
    dlt: Any = import_module("dlt")

    def orders() -> Iterator[list[dict[str, Any]]]:
        erp = sqlite3.connect(path)
        erp.row_factory = sqlite3.Row
        after = 0
        while rows := erp.execute("select * from orders where id > ? order by id limit ?", (after, PAGE)).fetchall():
            yield [dict(row) for row in rows]
            after = rows[-1]["id"]
        erp.close()

    start = time.perf_counter()
    destination = dlt.destinations.sqlalchemy(f"sqlite:///{folder}/facts.db")
    pipeline = dlt.pipeline("bench", pipelines_dir=str(folder), destination=destination, dataset_name="facts")
    pipeline.run(dlt.resource(orders, name="sales_order", primary_key="id", write_disposition="merge"))
    seconds = time.perf_counter() - start
    with pipeline.sql_client() as client:
        [(stored,)] = client.execute_sql("select count(*) from sales_order") or [(0,)]
    print(f"{seconds:.3f} {stored}")


if __name__ == "__main__":
    main()
