"""A mail server for tests. What it takes is on disk before it says so, and read back by Python's own
reading of the standards.

It says `ready PORT` once it listens, `took COUNT` after each mail, and `ok` to each command on its
standard input:

    answer STAGE TIMES REPLY...   at `mail`, `rcpt` or `data`, so often
    drop TIMES                    takes mails and hangs up without a word, so often
    down, up                      hangs up on everybody and listens no more; listens again

Whoever is called `nobody` is not known here, at any time.
"""

import argparse
import asyncio
import email
import email.policy
import json
import os
import ssl
import sys
import threading

import trustme
from aiosmtpd.smtp import SMTP, AuthResult


class Post:
    """Takes mails, and does as it was told."""

    def __init__(self, journal):
        self.journal = os.open(journal, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        self.count = 0
        self.answers = {"mail": [], "rcpt": [], "data": []}
        self.drops = 0

    def told(self, stage):
        return self.answers[stage].pop(0) if self.answers[stage] else None

    async def handle_MAIL(self, server, session, envelope, address, options):
        reply = self.told("mail")
        if reply is None:
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return reply or "250 2.1.0 so it is from you"

    async def handle_RCPT(self, server, session, envelope, address, options):
        reply = self.told("rcpt")
        if address.startswith("nobody@"):
            reply = f"550 5.1.1 <{address}>: nobody of this name"
        if reply is None:
            envelope.rcpt_tos.append(address)
        return reply or "250 2.1.5 known here"

    async def handle_DATA(self, server, session, envelope):
        reply = self.told("data")
        if reply is not None:
            return reply
        self.keep(server, session, envelope)
        if self.drops > 0:
            self.drops -= 1
            server.transport.abort()
        say(f"took {self.count}")
        return "250 2.0.0 taken"

    def keep(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        kept = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "login": session.auth_data,
            "tls": server.transport.get_extra_info("sslcontext") is not None,
            "headers": {name: str(value) for name, value in mail.items()},
            "text": mail.get_content(),
            "raw": envelope.content.decode("latin1"),
        }
        os.write(self.journal, (json.dumps(kept) + "\n").encode())
        os.fdatasync(self.journal)
        self.count += 1


def say(line):
    print(line, flush=True)


class Listener:
    """The socket, which can be taken away and put back."""

    def __init__(self, post, options, tls):
        self.post, self.options, self.tls = post, options, tls
        self.server, self.sessions = None, []

    def session(self):
        smtp = SMTP(self.post, hostname="localhost", loop=asyncio.get_running_loop(), **self.options)
        self.sessions.append(smtp)
        return smtp

    async def up(self, port):
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(self.session, "127.0.0.1", port, ssl=self.tls)
        return self.server.sockets[0].getsockname()[1]

    async def down(self):
        self.server.close()
        for smtp in self.sessions:
            if smtp.transport is not None:
                smtp.transport.abort()
        self.sessions.clear()


async def serve(chosen):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(chosen.authority)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    options = {"enable_SMTPUTF8": False}
    if chosen.tls == "starttls":
        options.update(tls_context=context, require_starttls=True)
    if chosen.login:
        options.update(auth_required=True, auth_require_tls=chosen.tls == "starttls")
        options.update(authenticator=checking(*chosen.login.split(":", 1)))
    post = Post(chosen.journal)
    listener = Listener(post, options, context if chosen.tls == "tls" else None)
    port = await listener.up(0)
    say(f"ready {port}")
    lines = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def listen():
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line.split())
        loop.call_soon_threadsafe(lines.put_nowait, None)

    threading.Thread(target=listen, daemon=True).start()
    while (words := await lines.get()) is not None:
        match words:
            case ["answer", stage, times, *reply]:
                post.answers[stage].extend([" ".join(reply)] * int(times))
            case ["drop", times]:
                post.drops = int(times)
            case ["down"]:
                await listener.down()
            case ["up"]:
                await listener.up(port)
        say("ok")


def checking(name, password):
    def check(server, session, envelope, mechanism, given):
        fits = (given.login, given.password) == (name.encode(), password.encode())
        return AuthResult(success=fits, handled=False, auth_data=given.login.decode())

    return check


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("journal")
    parser.add_argument("--authority", required=True)
    parser.add_argument("--tls", choices=["none", "starttls", "tls"], default="none")
    parser.add_argument("--login")
    asyncio.run(serve(parser.parse_args()))


main()
