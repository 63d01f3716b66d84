"""What captured answers of Hanvon terminals say."""

from datetime import tzinfo

from gateway.device import Decoded, HealthFact, Trouble
from gateway.drivers.hanvon import codec
from gateway.drivers.hanvon.codec import Answer, BadRow, RecordRow
from gateway.drivers.hanvon.reader import Reader
from gateway.profile import Profile
from shared.errors import DataError

TOLD = ("edition", "time", "real_faceregist", "max_faceregist", "real_facerecord", "max_facerecord", "mac", "sn")


def decode_capture(data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> list[Decoded]:
    """What captured answers say, without cipher; DataError when none is in it.

    Lines after ``>`` are requests and left out; ``<`` and a blank before an answer are no part of it.
    """
    kept = [
        line.removeprefix(b"<").lstrip() for line in data.splitlines(keepends=True) if not line.startswith((b">", b"#"))
    ]
    reader = codec.AnswerReader()
    answers: list[Answer] = []
    lost: DataError | None = None
    for line in kept:
        try:
            answers += reader.feed(line)
        except DataError as error:
            lost = error
            break
    if not answers:
        raise DataError("no answer of Hanvon's protocol is in it; it starts with Return(", "frame") from lost
    serial = next((n for a in answers if (n := a.get("dev_id") or a.get("sn")) and n.strip("0")), terminal)
    told = [_decoded(answer, Reader(serial, profile, zone)) for answer in answers]
    if lost is not None or reader.begun:
        text = str(lost) if lost else "the last answer is cut off"
        told.append(Decoded("rest", problems=(Trouble(lost.code if lost else "cut_off", text),)))
    return told


def _decoded(answer: Answer, reader: Reader) -> Decoded:
    if answer.name == codec.WAIT:
        return Decoded("wait", health=(HealthFact("wait", {"wait_s": round(codec.seconds_of_wait(answer))}),))
    if not answer.succeeded:
        return Decoded("answer", health=(HealthFact("refused", {"reason": answer.reason}),))
    if answer.get("edition") is None and answer.get("time") is not None:
        rows = codec.decode_records(answer)
        return Decoded(
            "records",
            events=tuple(reader.punch(row, None, 0) for row in rows if isinstance(row, RecordRow)),
            problems=tuple(Trouble(row.reason, "no punch", row.raw) for row in rows if isinstance(row, BadRow)),
        )
    facts: dict[str, str | int | None] = {key: value for key in TOLD if (value := answer.get(key))}
    return Decoded("device_info" if facts else "answer", health=(HealthFact("device", facts),) if facts else ())
