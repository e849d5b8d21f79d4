"""Messages on their way: mail, Slack and webhooks, tried again, given up, never sent to a place inside."""

import hashlib
import hmac
import re
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import undefer

from jobs.report import Markdown, ObjectLink, Report, Text
from store.lockbox import lock
from store.models import Channel, Delivery, JobResult, RunReport, User, now
from store.notice_settings import NoticeSettings, notice_settings
from store.notices import FOR_CHANNELS
from store.platform import Platform
from store.settings import Settings
from tests.conftest import make_cast
from tests.post import PASSWORD, USER, Mailbox, Receiver, mailbox, make_certificate, receiver
from worker import outside, postman
from worker.outside import BadAddress, check_url, post
from worker.postman import PAUSES, Postman, forget_old, send_again

SECRET = "whsec-of-this-test"
CONTENT = {
    "texts": ["Line one <b>&\nand two"],
    "facts": [["Job", "local/x/<Job>"]],
    "failures": ["<script>x</script> @here"],
    "path": "/results/1",
    "act": "See the run",
    "result": {"id": "1", "status": "failed"},
}


class Post:
    """A postman whose clock goes by hand, and what he carries."""

    def __init__(self, settings: Settings, platform: Platform, outside_settings: NoticeSettings) -> None:
        self.settings = replace(settings, notices=outside_settings)
        self.platform = platform
        self.moment = now()
        with platform.session() as db:
            self.users = make_cast(db)
        self.man = self.another()

    def another(self) -> Postman:
        return Postman(self.settings, self.platform, clock=lambda: self.moment)

    def go_on(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)

    def channel(self, kind: str, receivers: Sequence[str] = (), **box: str) -> int:
        with self.platform.session() as db:
            channel = Channel(
                name=f"{kind} {uuid4().hex[:6]}",
                kind=kind,
                box=lock(self.settings.secret_key, box),
                words=list(FOR_CHANNELS),
                sender="Bots <bots@portal.example>",
                receivers=list(receivers),
                user_id=self.users["root"].id,
            )
            db.add(channel)
            db.commit()
            return channel.id

    def add(self, via: str, channel_id: int | None = None, **values: Any) -> int:
        whose = {"channel_id": channel_id} if channel_id else {"user_id": self.users["alice"].id}
        with self.platform.session() as db:
            delivery = Delivery(
                **{
                    "event": "ended",
                    "event_key": uuid4().hex,
                    "target": f"channel:{channel_id}" if channel_id else f"{via}:{self.users['alice'].id}",
                    "via": via,
                    "receiver": "alice@example.com",
                    "title": "Failed: Größe 100%\nBcc: eve@example.com",
                    "content": CONTENT,
                    "next_try_at": self.moment,
                    **whose,
                    **values,
                }
            )
            db.add(delivery)
            db.commit()
            return delivery.id

    def look(self, number: int) -> Delivery:
        with self.platform.reading() as db:
            return db.scalars(
                select(Delivery).where(Delivery.id == number).options(undefer(Delivery.box))
            ).one()

    def state(self, number: int) -> str:
        return self.look(number).state


def by_mail(port: int, **more: str) -> NoticeSettings:
    return notice_settings(
        {
            "ERRAND_SMTP_URL": f"smtp://127.0.0.1:{port}",
            "ERRAND_MAIL_FROM": "Errand <errand@portal.example>",
            "ERRAND_URL": "https://portal.example/",
            "ERRAND_WEBHOOK_HOSTS": "localhost",
            **more,
        }
    )


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mailbox() as box:
        yield box


@pytest.fixture
def web() -> Iterator[Receiver]:
    with receiver() as web:
        yield web


@pytest.fixture
def post_of(settings: Settings, platform: Platform) -> Callable[[NoticeSettings], Post]:
    return lambda outside_settings: Post(settings, platform, outside_settings)


def keep_report(post: Any, made: UUID, report: Report) -> None:
    """Have a run that has ended with this report."""
    with post.platform.session() as db:
        db.add(
            JobResult(
                id=made, class_path="local/x/X", name="X", username="alice", status="completed", time_limit=9
            )
        )
        db.flush()
        db.add(RunReport(result_id=made, data=report.as_data(), pieces=3))
        db.commit()


def test_mail_is_text_and_html_with_everything_escaped(box: Mailbox, post_of: Any):
    post = post_of(by_mail(box.port))
    number = post.add("mail")
    assert post.man.send_once() == 1
    [mail] = box.got
    sent = post.look(number)
    assert (sent.state, sent.last_answer) == ("sent", "The mail server took it.")
    assert mail["Subject"] == "Failed: Größe 100% Bcc: eve@example.com"
    assert mail["Bcc"] is None
    assert box.envelopes == [("errand@portal.example", ["alice@example.com"])]
    assert mail["Message-ID"] == f"<{sent.mark}@portal.example>"
    assert mail["X-Errand-Delivery"] == str(sent.mark)
    text = mail.get_body(("plain",)).get_content()
    page = mail.get_body(("html",)).get_content()
    assert "https://portal.example/results/1" in text
    assert "<script>x</script> @here" in text
    assert "<script>" not in page
    assert "&lt;script&gt;x&lt;/script&gt;" in page
    assert 'href="https://portal.example/results/1"' in page
    assert post.man.send_once() == 0


def test_mail_by_starttls_with_a_password_and_a_certificate_that_is_checked(tmp_path: Any, post_of: Any):
    pem = make_certificate(tmp_path)
    with mailbox(pem) as box:
        url = f"smtp://{USER}:p%40ss%20word@127.0.0.1:{box.port}?starttls=1"
        post = post_of(by_mail(box.port, ERRAND_SMTP_URL=url))
        number = post.add("mail")
        post.man.send_once()
        assert post.look(number).last_answer.startswith(
            "The certificate of the mail server is not to be trusted"
        )
        for wrong, said in (
            (f"{url}&ca={pem}".replace("word", "work"), "refused our name"),
            (f"{url}&ca={pem}", "took it"),
        ):
            post.settings = replace(post.settings, notices=by_mail(box.port, ERRAND_SMTP_URL=wrong))
            post.go_on(1_000)
            post.another().send_once()
            assert said in post.look(number).last_answer
        assert box.secure == [True]
        assert PASSWORD not in str([post.look(number).answers, repr(post.settings)])


def test_a_channel_mails_what_a_run_reports_by_its_own_server(box: Mailbox, post_of: Any):
    # The portal itself has none.
    post = post_of(replace(by_mail(1, ERRAND_WEBHOOK_HOSTS="127.0.0.1"), mail=None))
    made = uuid4()
    report = Report(
        Text("3 <hosts>\nBcc: eve@example.com " + "x" * 500),
        Text("<script>x</script> is down"),
        Text("y" * 100_000),
    )
    keep_report(post, made, report)
    at = post.channel("mail", ["a@example.com", "b@example.com"], url=f"smtp://127.0.0.1:{box.port}")
    content = {**CONTENT, "result": {"id": str(made), "status": "completed"}}
    number = post.add("mail", at, event="output", content=content, receiver="ops")
    box.refusals = ["550 No such user"]
    assert post.man.send_once() == 1
    assert post.look(number).last_answer == "The mail server took it. Not for a@example.com: 550 No such user"
    assert box.envelopes == [("bots@portal.example", ["b@example.com"])]
    [mail] = box.got
    assert mail["Subject"].startswith("3 <hosts> Bcc: eve@example.com xxx")
    assert (len(mail["Subject"]), mail["To"], mail["Bcc"]) == (200, "a@example.com, b@example.com", None)
    text = mail.get_body(("plain",)).get_content()
    page = mail.get_body(("html",)).get_content()
    assert text.startswith("<script>x</script> is down")
    assert "&lt;script&gt;x&lt;/script&gt; is down" in page
    assert "https://portal.example/results/1" in text
    assert not any("hosts" in body or "<script>" in page for body in (text, page))
    assert max(len(text), len(page)) < 150_000
    # A server inside that nobody allowed is not asked, whatever the channel was saved with.
    inside = post.channel("mail", ["a@example.com"], url=f"smtp://127.0.0.1:{box.port}")
    refused = post.add("mail", inside)
    post.settings = replace(post.settings, notices=replace(by_mail(1, ERRAND_WEBHOOK_HOSTS=""), mail=None))
    assert post.another().send_once() == 1
    assert "127.0.0.1 is not on the open internet" in post.look(refused).last_answer
    assert len(box.got) == 1


def test_links_of_a_portal_below_a_path_keep_it(box: Mailbox, web: Receiver, post_of: Any):
    post = post_of(by_mail(box.port, ERRAND_URL="https://portal.example/errand/"))
    made = uuid4()
    report = Report(Markdown("See [Bern](/objects/inventory.site/1/)."), ObjectLink(Bern()), Text("/x"))
    keep_report(post, made, report)
    content = {**CONTENT, "path": f"/results/{made}", "result": {"id": str(made), "status": "completed"}}
    post.add("mail", content=content)
    post.add("slack", post.channel("slack", url=web.url("/services/T")), content=content)
    post.add("webhook", post.channel("webhook", url=web.url(), secret=SECRET), content=content)
    assert post.man.send_once() == 3
    [mail] = box.got
    page = mail.get_body(("html",)).get_content()
    root = "https://portal.example/errand"
    links = re.findall(r'href="([^"]+)"', page)
    assert sorted(links) == sorted([f"{root}/objects/inventory.site/1/"] * 2 + [f"{root}/results/{made}"])
    text = mail.get_body(("plain",)).get_content()
    assert f"{root}/results/{made}" in text
    assert f"{root}/account/notifications/" in text
    slack, hook = sorted((request.json for request in web.got), key=lambda said: "event" in said)
    assert f"<{root}/results/{made}|See the run>" in str(slack)
    assert (hook["url"], hook["result"]["url"]) == (f"{root}/results/{made}",) * 2


class Bern:
    """An object, as reports know one."""

    pk = 1

    def __str__(self) -> str:
        return "Bern"

    def get_absolute_url(self) -> str:
        return "/objects/inventory.site/1/"


def test_a_mail_is_tried_again_later_and_later_then_given_up_and_sent_again(box: Mailbox, post_of: Any):
    post = post_of(by_mail(box.port))
    number = post.add("mail")
    box.refusals = ["451 Not now"] * (len(PAUSES) + 1)
    for tries, pause in enumerate(PAUSES, 1):
        assert post.man.send_once() == 1
        waiting = post.look(number)
        assert (waiting.state, waiting.tries) == ("failed", tries)
        post.go_on(pause - 1)
        assert post.man.send_once() == 0
        post.go_on(1)
    assert post.man.send_once() == 1
    given_up = post.look(number)
    assert given_up.state == "gave_up"
    assert "451 Not now" in given_up.last_answer
    assert len(given_up.answers) == len(PAUSES) + 1
    with post.platform.session() as db:
        assert send_again(db, db.get_one(Delivery, number))
        assert not send_again(db, db.get_one(Delivery, number))
        db.commit()
    post.moment = now()
    assert post.man.send_once() == 1
    assert post.state(number) == "sent"
    # The same message: whoever got it twice can tell.
    assert box.got[0]["X-Errand-Delivery"] == str(given_up.mark)


def test_a_receiver_that_is_refused_for_good_is_given_up_at_once(box: Mailbox, post_of: Any):
    post = post_of(by_mail(box.port))
    refused, odd = post.add("mail"), post.add("mail", receiver="x@y\n")
    box.refusals = ["550 No such user"]
    post.man.send_once()
    assert post.look(refused).last_answer == "The mail server refused the receiver: 550 No such user"
    assert [post.state(refused), post.state(odd)] == ["gave_up", "gave_up"]


def test_a_dead_mail_server_is_left_alone_and_holds_nobody_up(web: Receiver, post_of: Any):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        post = post_of(by_mail(nobody.getsockname()[1]))
        mails = [post.add("mail") for _ in range(5)]
        hook = post.add("webhook", post.channel("webhook", url=web.url(), secret=SECRET))
        assert post.man.send_once() == 2
        assert post.state(hook) == "sent"
        # Asked once; the others wait without a try of theirs being counted.
        assert sorted(post.look(number).tries for number in mails) == [0, 0, 0, 0, 1]
        post.go_on(9)
        assert post.man.send_once() == 0
        post.go_on(1)
        assert post.man.send_once() == 1
        post.go_on(19)
        assert post.man.send_once() == 0


def test_who_knows_no_mail_server_leaves_mail_to_others(web: Receiver, post_of: Any):
    post = post_of(replace(by_mail(1), mail=None))
    mail = post.add("mail")
    hook = post.add("webhook", post.channel("webhook", url=web.url(), secret=SECRET))
    assert post.man.send_once() == 1
    assert (post.state(hook), post.look(mail).attempts) == ("sent", 0)


def test_a_server_that_never_answers_costs_so_many_seconds_and_no_more(
    web: Receiver, post_of: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(outside, "WHOLE_SECONDS", 0.2)
    web.silent.set()
    post = post_of(by_mail(1))
    number = post.add("webhook", post.channel("webhook", url=web.url(), secret=SECRET))
    post.man.send_once()
    assert (post.state(number), post.look(number).last_answer) == (
        "failed",
        "localhost did not answer in time.",
    )


def test_a_killed_postmans_message_is_taken_up_again_and_he_writes_nothing_any_more(
    web: Receiver, post_of: Any, monkeypatch: pytest.MonkeyPatch
):
    class Killed(BaseException):
        pass

    def dies(place: str) -> None:
        if place == "postman.sent":
            raise Killed

    post = post_of(by_mail(1))
    number = post.add("webhook", post.channel("webhook", url=web.url(), secret=SECRET))
    monkeypatch.setattr(postman, "reach", dies)
    with pytest.raises(Killed):
        post.man.send_once()
    monkeypatch.undo()
    late = post.look(number)
    assert (late.state, late.attempts) == ("waiting", 1)
    assert post.another().send_once() == 0
    post.go_on(postman.LEASE.total_seconds())
    assert post.another().send_once() == 1
    post.man._write(late, "too late", state="failed")
    assert post.state(number) == "sent"
    assert len({request.headers["X-Errand-Delivery"] for request in web.got}) == 1
    assert len(web.got) == 2


def test_two_postmen_at_once_send_each_message_once(web: Receiver, post_of: Any):
    post = post_of(by_mail(1))
    numbers = [post.add("webhook", post.channel("webhook", url=web.url(), secret=SECRET)) for _ in range(8)]
    threads = [threading.Thread(target=post.another().send_once) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {post.state(number) for number in numbers} == {"sent"}
    assert len(web.got) == 8


def test_a_webhook_is_signed_json(web: Receiver, post_of: Any):
    post = post_of(by_mail(1))
    web.answers = [(200, "fine " * 200, {})]
    number = post.add("webhook", post.channel("webhook", url=web.url("/a?b=c"), secret=SECRET))
    post.man.send_once()
    [request] = web.got
    assert request.path == "/a?b=c"
    # As docs/notifications.md says it is to be checked.
    parts = dict(part.split("=", 1) for part in request.headers["X-Errand-Signature"].split(","))
    expected = hmac.new(SECRET.encode(), parts["t"].encode() + b"." + request.body, hashlib.sha256)
    assert hmac.compare_digest(parts["v1"], expected.hexdigest())
    assert abs(int(parts["t"]) - now().timestamp()) < 60
    body = request.json
    sent = post.look(number)
    assert body["delivery"] == request.headers["X-Errand-Delivery"] == str(sent.mark)
    assert (body["event"], body["result"]["status"], body["result"]["url"]) == (
        "ended",
        "failed",
        "https://portal.example/results/1",
    )
    assert len(sent.last_answer) <= 310


def test_what_a_webhook_answers(web: Receiver, post_of: Any):
    post = post_of(by_mail(1))
    answers: list[tuple[int, str, dict[str, str]]] = [
        (500, "oops", {}),
        (404, "gone?", {}),
        (410, "gone", {}),
        # Where it leads is asked nothing.
        (302, "", {"Location": web.url("/elsewhere")}),
    ]
    web.answers = [*answers]
    numbers = [post.add("webhook", post.channel("webhook", url=web.url(), secret=SECRET)) for _ in answers]
    post.man.send_once()
    assert [post.state(number) for number in numbers] == ["failed", "failed", "gave_up", "failed"]
    for number, (status, *_) in zip(numbers, answers, strict=True):
        assert str(status) in post.look(number).last_answer
    assert {request.path for request in web.got} == {"/hook"}
    assert len(web.got) == 4


def test_who_wants_to_be_left_alone_is(web: Receiver, post_of: Any):
    post = post_of(by_mail(1))
    web.answers = [(429, "slow down", {"Retry-After": "60"}), (200, "ok", {})]
    number = post.add("webhook", post.channel("webhook", url=web.url(), secret=SECRET))
    post.man.send_once()
    post.go_on(59)
    assert post.man.send_once() == 0
    post.go_on(1)
    assert post.man.send_once() == 1
    assert post.state(number) == "sent"


def test_slack_gets_blocks_within_its_limits_by_webhook_and_by_token(web: Receiver, post_of: Any):
    listens = {"ERRAND_SLACK_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "s"}
    post = post_of(by_mail(1, ERRAND_SLACK_API=web.url("/api"), **listens))
    request = {**CONTENT, "decide": "run-1"}
    long = {**request, "failures": ["<!here> " + "&" * 4_000] * 5, "texts": ["x" * 9_000]}
    web.answers = [
        (200, "ok", {}),
        (200, '{"ok":true}', {}),
        (200, '{"ok":false,"error":"not_in_channel"}', {}),
    ]
    hook = post.channel("slack", url=web.url("/services/T"))
    bot = post.channel("slack", channel="#ops")
    numbers = [
        post.add("slack", hook, content=long),
        post.add("slack", bot, content=request),
        post.add("slack", bot),
    ]
    post.man.send_once()
    first, second, third = (request.json for request in web.got)
    assert len(first["blocks"]) <= 50
    texts = [block["text"]["text"] for block in first["blocks"]]
    assert max(map(len, texts)) <= 3_000
    assert len(texts[0]) <= 150
    assert not any("<!here>" in text for text in texts)
    assert "<https://portal.example/results/1|See the run>" in texts
    assert second["channel"] == "#ops"
    buttons = [[each["action_id"] for each in block.get("elements", ())] for block in second["blocks"]]
    assert buttons[-1] == ["errand.approve", "errand.deny"], "the bot hears what becomes of them"
    assert "errand." not in f"{first} {third}"
    assert web.got[1].headers["Authorization"] == "Bearer xoxb-1"
    assert "Authorization" not in web.got[0].headers
    assert [post.state(number) for number in numbers] == ["sent", "sent", "gave_up"]
    assert post.look(numbers[2]).last_answer == "Slack refused it: not_in_channel"


def test_nothing_is_sent_to_who_lost_the_account_or_a_channel_that_is_off(web: Receiver, post_of: Any):
    post = post_of(by_mail(1))
    channel = post.channel("webhook", url=web.url(), secret=SECRET)
    hook, mail = post.add("webhook", channel), post.add("mail")
    with post.platform.session() as db:
        db.get_one(Channel, channel).enabled = False
        db.get_one(User, post.users["alice"].id).active = False
        db.commit()
    post.man.send_once()
    assert [post.state(hook), post.state(mail)] == ["gave_up", "gave_up"]
    assert web.got == []


OPEN = notice_settings({"ERRAND_WEBHOOK_HOSTS": "hook.internal 10.1.0.0/16"})


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[::127.0.0.1]/",
        "https://[::10.0.0.1]/",
        "https://[64:ff9b:1::a00:1]/",
        "https://[fec0::1]/",
        "https://[fe80::1%25eth0]/",
        "https://0.0.0.0/",
        "https://100.64.0.1/",
        "https://224.0.0.1/",
        "http://example.com/",
        "ftp://example.com/",
        "https://user:pass@example.com/",
        "https://example.com/\r\nHost: x",
        "https://example.com:0/",
        "https://example.com:99999/",
        "https://[::1",
        "//example.com/",
        "https:///x",
    ],
)
def test_addresses_that_nothing_is_sent_to(url: str):
    with pytest.raises(BadAddress):
        check_url(url, OPEN)


@pytest.mark.parametrize(
    "found", ["127.0.0.1", "10.0.0.5", "::1", "169.254.169.254", "::ffff:10.0.0.1", "0.0.0.0", "fd00::1"]
)
def test_a_name_that_leads_inside_is_refused_whatever_else_it_leads_to(
    found: str, monkeypatch: pytest.MonkeyPatch
):
    addresses = [(0, 0, 0, "", ("93.184.216.34", 443)), (0, 0, 0, "", (found, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
    # So does the way there by a number in another dress, which the resolver of the system understands.
    for url in ("https://rebind.example/", "https://2130706433/", "https://0x7f.1/"):
        with pytest.raises(BadAddress, match="not on the open internet"):
            post(url, b"", {}, OPEN)


def test_it_connects_to_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch):
    asked, connected = [], []

    def look_up(host: str, *_: Any, **__: Any) -> Any:
        asked.append(host)
        # The second time the name would lead inside.
        return [(0, 0, 0, "", ("93.184.216.34" if len(asked) == 1 else "127.0.0.1", 443))]

    def connect(address: Any, *_: Any) -> Any:
        connected.append(address)
        raise OSError(113, "No route to host")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(outside.NoAnswer, match="No route to host"):
        post("https://rebind.example/", b"", {}, OPEN)
    assert (asked, connected) == (["rebind.example"], [("93.184.216.34", 443)])


def test_what_the_operator_opens_is_open():
    for url in ("http://hook.internal/", "https://10.1.2.3/", "http://10.1.2.3:8080/x"):
        check_url(url, OPEN)
    with pytest.raises(BadAddress):
        check_url("https://10.2.0.1/", OPEN)


def test_https_is_spoken_to_the_host_of_the_name(tmp_path: Any, web: Receiver):
    """A certificate that nobody vouches for is refused, by name."""
    import ssl
    from http.server import BaseHTTPRequestHandler, HTTPServer

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(make_certificate(tmp_path))
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with pytest.raises(outside.NoAnswer, match="The certificate of localhost is not to be trusted"):
            post(f"https://localhost:{server.server_port}/", b"", {}, by_mail(1))
        thread.join()


def test_old_messages_go_in_slices(post_of: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(postman, "SLICE", 2)
    post = post_of(by_mail(1))
    long_ago: datetime = now() - timedelta(days=31)
    for _ in range(5):
        post.add("mail", created_at=long_ago)
    kept = post.add("mail")
    assert forget_old(post.platform) == 5
    assert post.state(kept) == "waiting"
