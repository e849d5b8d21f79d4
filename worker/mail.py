"""Mail, by SMTP."""

import smtplib
import socket
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.message import EmailMessage
from email.utils import formatdate, parseaddr

from store.models import Delivery
from store.notice_settings import SmtpSettings, is_mail
from worker import messages
from worker.messages import NO_REPORT, Told
from worker.outside import STEP_SECONDS, WHOLE_SECONDS, shut, within
from worker.sending import Trouble, Undeliverable


def send(
    settings: SmtpSettings,
    delivery: Delivery,
    portal: str,
    secret: Mapping[str, str],
    report: Told = NO_REPORT,
    receivers: Sequence[str] = (),
) -> str:
    """Hand the message to the mail server; return what that said. Raises Trouble, Undeliverable.

    receivers: of a channel, in place of the one of the message.
    """
    receivers = receivers or [delivery.receiver]
    if not all(map(is_mail, receivers)):
        raise Undeliverable("That is no mail address.")
    message = compose(settings, delivery, portal, secret, report, receivers)
    with _at_server(settings) as server:
        refused = server.send_message(message)
    told = [f"Not for {receiver}: {_answer(*said)}" for receiver, said in refused.items()]
    return " ".join(["The mail server took it.", *told])


def greet(settings: SmtpSettings) -> str:
    """Go to the mail server and send nothing; return a sentence. Raises Trouble, Undeliverable."""
    with _at_server(settings) as server:
        server.noop()
    return f"The mail server {settings.host} lets us in."


@contextmanager
def _at_server(settings: SmtpSettings) -> Iterator[smtplib.SMTP]:
    """Give the mail server, greeted. What goes wrong there becomes Trouble or Undeliverable."""
    server: smtplib.SMTP | None = None
    try:
        server = _server(settings)
        with within(WHOLE_SECONDS, lambda: shut(getattr(server, "sock", None))):
            _greet(server, settings)
            yield server
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        # 4xx: not now; 5xx: not this receiver.
        refused = Undeliverable if 500 <= code < 600 else Trouble
        raise refused(f"The mail server refused the receiver: {_answer(code, text)}") from error
    except smtplib.SMTPAuthenticationError as error:
        raise Trouble("The mail server refused our name and password.", whole=True) from error
    except smtplib.SMTPResponseException as error:
        said = _answer(error.smtp_code, error.smtp_error)
        raise Trouble(f"The mail server refused it: {said}", whole=error.smtp_code == 421) from error
    except ssl.SSLCertVerificationError as error:
        raise Trouble(
            f"The certificate of the mail server is not to be trusted: {error.verify_message}.", whole=True
        ) from error
    except (OSError, smtplib.SMTPException) as error:
        raise Trouble(f"The mail server did not answer: {_reason(error)}.", whole=True) from error
    finally:
        if server is not None:
            server.close()


def compose(
    settings: SmtpSettings,
    delivery: Delivery,
    portal: str,
    secret: Mapping[str, str],
    report: Told,
    receivers: Sequence[str],
) -> EmailMessage:
    """Make the mail. report: what its run has reported."""
    message = EmailMessage()
    message["Subject"] = " ".join((report.subject or delivery.title).split())
    message["From"] = settings.sender
    message["To"] = ", ".join(receivers)
    message["Date"] = formatdate(usegmt=True)
    # The same each time it is sent: whoever gets it twice can tell.
    message["Message-ID"] = f"<{delivery.mark}@{parseaddr(settings.sender)[1].partition('@')[2]}>"
    message["X-Errand-Delivery"] = str(delivery.mark)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(messages.plain(delivery, portal, secret, report))
    message.add_alternative(messages.as_html(delivery, portal, secret, report), subtype="html")
    return message


def _server(settings: SmtpSettings) -> smtplib.SMTP:
    # Named here, or smtplib asks the name service, which may take its time.
    name = socket.gethostname() or "localhost"
    server = (
        smtplib.SMTP_SSL(local_hostname=name, timeout=STEP_SECONDS, context=_context(settings))
        if settings.security == "tls"
        else smtplib.SMTP(local_hostname=name, timeout=STEP_SECONDS)
    )
    # Its certificate is that of the host, wherever we go to reach it.
    server._host = settings.host  # type: ignore[attr-defined]
    code, said = server.connect(settings.address or settings.host, settings.port)
    if code != 220:
        server.close()
        raise smtplib.SMTPConnectError(code, said)
    return server


def _greet(server: smtplib.SMTP, settings: SmtpSettings) -> None:
    if settings.security == "starttls":
        server.starttls(context=_context(settings))
    if settings.user:
        server.login(settings.user, settings.password)


def _context(settings: SmtpSettings) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(settings.ca) if settings.ca else None)


def _answer(code: int, said: bytes | str) -> str:
    text = said if isinstance(said, str) else said.decode("utf-8", "replace")
    return f"{code} {' '.join(text.split())}"


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it took too long"
    return str(getattr(error, "strerror", None) or error or type(error).__name__).rstrip(".")
