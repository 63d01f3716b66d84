"""Every family that has a driver, and the emulated devices that show it."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from typing import TypeAlias

from muster.demo.pulled_stands import (
    AkuvoxStand,
    AnvizStand,
    AxisStand,
    ControlIdStand,
    DahuaStand,
    HanvonStand,
    HikvisionStand,
    MatrixStand,
    SupremaStand,
    TwonStand,
    Zk4370Stand,
)
from muster.demo.pushing_stands import (
    AdmsStand,
    AifaceStand,
    CustomHttpStand,
    CustomMqttStand,
    DahuaPushStand,
    FkStand,
    HikvisionPushStand,
    UniviewStand,
)
from muster.demo.scan_stands import (
    BatchStand,
    FileStand,
    HandheldStand,
    HidStand,
    IotStand,
    LlrpStand,
    SerialStand,
    SsiStand,
    TcpStand,
)
from muster.demo.stand import Depot, Stand

Make: TypeAlias = Callable[[Depot], Stand]

FAMILIES: Mapping[str, tuple[Make, ...]] = {
    "2n": (TwonStand,),
    "aiface_ws": (partial(AifaceStand, http=False), partial(AifaceStand, http=True)),
    "akuvox": (AkuvoxStand,),
    "anviz": (AnvizStand,),
    "axis": (AxisStand,),
    "controlid": (ControlIdStand,),
    "custom": (CustomHttpStand, CustomMqttStand),
    "dahua": (DahuaStand, DahuaPushStand),
    "file_import": (FileStand,),
    "fkweb": (FkStand,),
    "handheld_http": (HandheldStand,),
    "hanvon": (HanvonStand,),
    "hikvision": (HikvisionStand, HikvisionPushStand),
    "llrp": (LlrpStand,),
    "matrix_cosec": (MatrixStand,),
    "reader_mqtt": (IotStand,),
    "scanner_hid": (HidStand,),
    "scanner_serial": (SerialStand, BatchStand),
    "scanner_ssi": (SsiStand,),
    "scanner_tcp": (partial(TcpStand, calls=False), partial(TcpStand, calls=True)),
    "suprema": (SupremaStand,),
    "uniview": (UniviewStand,),
    "zk4370": (partial(Zk4370Stand, transport="tcp"), partial(Zk4370Stand, transport="udp")),
    "zk_adms": (partial(AdmsStand, dialect="att"), partial(AdmsStand, dialect="acc")),
}
"""By entry point of the group ``muster.drivers``; a test compares the two."""

LIBRARIES = {"llrp": ("sllurp", "llrp"), "zk4370": ("zk", "zk")}
"""What some families need beyond the gateway itself: module, and the extra that brings it."""


def missing_library(family: str) -> str | None:
    """Why a family can not be shown here; None when it can."""
    module, extra = LIBRARIES.get(family, ("", ""))
    if not module or find_spec(module) is not None:
        return None
    return f"{module} is not installed: pip install 'muster[{extra}]'"


def stands_of(families: Mapping[str, tuple[Make, ...]], depot: Depot) -> Iterator[tuple[str, Stand]]:
    """Family and device, one after the other."""
    for family, makers in families.items():
        for make in makers:
            yield family, make(depot)
