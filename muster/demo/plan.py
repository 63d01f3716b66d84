"""Which gateway drives which emulated device, and with what settings."""

from muster.demo.life import Life
from muster.sample.company import USER_GROUP
from muster.sample.people import DEPOTS
from muster.stage.installation import HOST, Device, Gateway

PULL, PUSH, LIVE_SCANNER, BATCH_SCANNER = "zkteco/k40", "zkteco/senseface-2a", "newland/serial", "generic/batch-csv"


def gateways(life: Life, push_port: int) -> list[Gateway]:
    """Three gateways: Yuhang with the dock, Xiaoshan with the deliveries, Qiantang for the terminals that push."""
    dock = Device(
        life.dock.serial, "余杭仓月台", "d1", LIVE_SCANNER, USER_GROUP, "scanner",
        settings={"device": life.dock.scanner.device, "kind": "inbound"},
    )  # fmt: skip
    deliveries = Device(
        life.deliveries.serial, "富阳站送达登记", "d5", BATCH_SCANNER, USER_GROUP, "scanner",
        settings={"device": life.deliveries.scanner.device, "kind": "delivered"},
    )  # fmt: skip
    pulls = [
        Device(
            door.serial, f"{_depot(door.serial)}大门", _site(door.serial), PULL, USER_GROUP,
            settings={"host": HOST, "port": door.port, "poll_s": 3.0},
        )
        for door in life.pulls
    ]  # fmt: skip
    pushes = [
        Device(door.serial, f"{_depot(door.serial)}大门", _site(door.serial), PUSH, USER_GROUP) for door in life.pushes
    ]
    return [
        Gateway("余杭仓网关", "d1", (pulls[0], dock)),
        Gateway("萧山仓网关", "d2", (pulls[1], deliveries)),
        Gateway("钱塘仓网关", "d3", tuple(pushes), {"zk_adms": push_port}),
    ]


def _site(terminal: str) -> str:
    return next(depot.id for depot in DEPOTS if depot.terminal == terminal)


def _depot(terminal: str) -> str:
    return next(depot.name_zh for depot in DEPOTS if depot.terminal == terminal)
