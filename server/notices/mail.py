"""E-mail over the company's SMTP server."""

import asyncio
import re
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, getaddresses, make_msgid

from server.config import MailConfig
from server.notices.outgoing import NotSentError
from shared.errors import ConfigError, DataError

TIMEOUT_S = 20
SOME = "mail_some"
"""Code of a message that others have: it is not tried again, or they would get it twice."""
_ADDRESS = re.compile(r"[^\s@<>\",;:\\()\[\]]{1,64}@[A-Za-z0-9.-]{1,253}")
_XLSX = ("application", "vnd.openxmlformats-officedocument.spreadsheetml.sheet")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A workbook."""

    name: str
    content: bytes


def check_recipients(recipients: Sequence[str]) -> None:
    """DataError for what is no address."""
    for recipient in recipients:
        if not _ADDRESS.fullmatch(recipient):
            raise DataError(f"recipient {recipient!r}: expected an address such as hr@example.com", "recipient")
    if not 1 <= len(recipients) <= 50:
        raise DataError(f"{len(recipients)} recipients: expected 1 to 50", "recipient")


def compose(
    config: MailConfig,
    recipients: Sequence[str],
    subject: str,
    text: str,
    *,
    attachment: Attachment | None,
    at_s: float,
    apart: bool = False,
) -> EmailMessage:
    """A message in plain text, with a workbook if there is one; ``apart``: no recipient reads who else has it."""
    message = EmailMessage()
    message["Subject"] = subject
    message["From"] = config.from_
    if apart:
        message["To"] = "undisclosed-recipients:;"
    message["Bcc" if apart else "To"] = ", ".join(recipients)
    message["Date"] = formatdate(at_s)
    message["Message-ID"] = make_msgid(domain=config.from_.rpartition("@")[2].rstrip(">") or "localhost")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    if attachment is not None:
        maintype, subtype = _XLSX
        message.add_attachment(attachment.content, maintype=maintype, subtype=subtype, filename=attachment.name)
    return message


async def send(config: MailConfig, message: EmailMessage) -> None:
    """Hand a message to the server; NotSentError when it takes it for nobody, ``SOME`` when it does not for some."""
    await asyncio.to_thread(_send, config, message)


def _send(config: MailConfig, message: EmailMessage) -> None:
    try:
        with _connected(config) as smtp:
            if config.user:
                smtp.login(config.user, _password(config))
            to = [address for _, address in getaddresses([message["Bcc"] or message["To"]])]
            if smtp.send_message(message, to_addrs=to):
                raise NotSentError(SOME)
    except smtplib.SMTPAuthenticationError as error:
        raise NotSentError("mail_login") from error
    except smtplib.SMTPRecipientsRefused as error:
        raise NotSentError("mail_recipient") from error
    except smtplib.SMTPException as error:
        raise NotSentError("mail_refused") from error
    except OSError as error:
        raise NotSentError("mail_unreachable") from error


def _connected(config: MailConfig) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if config.tls == "tls":
        return smtplib.SMTP_SSL(config.host, config.port, timeout=TIMEOUT_S, context=context)
    smtp = smtplib.SMTP(config.host, config.port, timeout=TIMEOUT_S)
    if config.tls == "starttls":
        try:
            smtp.starttls(context=context)
        except BaseException:
            smtp.close()
            raise
    return smtp


def _password(config: MailConfig) -> str:
    if config.password_file is None:
        raise ConfigError("mail.user needs mail.password_file, mode 0600")
    try:
        return config.password_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{config.password_file}: can not be read ({error})") from error
