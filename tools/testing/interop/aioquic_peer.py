#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The other end for the interoperation tests: hq-interop (HTTP/0.9 over QUIC) with aioquic.

  aioquic_peer.py server ADDRESS PORT CERTIFICATE KEY FOLDER
  aioquic_peer.py client HOST PORT AUTHORITY NAME FOLDER PATH...

The server prints "listening" once it is ready. The client stores each answer in FOLDER, and verifies
the server's certificate against AUTHORITY and NAME. Options of both come from the environment:
RETRY=1 (server: validate addresses by Retry), CIPHER=CHACHA20_POLY1305_SHA256 (client: only that suite),
VERSION=2 (client: QUIC version 2 first), KEY_UPDATE=1 (client: new keys before the requests), RESUME=1 (client: a
second connection, which must resume the first one's session).
"""

import asyncio
import os
import sys

from aioquic.asyncio import QuicConnectionProtocol, connect, serve
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, StreamDataReceived
from aioquic.quic.packet import QuicProtocolVersion
from aioquic.tls import CipherSuite

ALPN = ["hq-interop"]


class Server(QuicConnectionProtocol):
    """Answers each GET on a bidirectional stream with the file and the end of the stream."""

    folder = "."

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.requests = {}

    def quic_event_received(self, event):
        if not isinstance(event, StreamDataReceived):
            return
        request = self.requests.get(event.stream_id, b"") + event.data
        self.requests[event.stream_id] = request
        if event.end_stream:
            self._quic.send_stream_data(event.stream_id, self.answer(request), True)
            self.transmit()

    def answer(self, request):
        words = request.split()
        name = os.path.basename(words[1].decode()) if len(words) > 1 else ""
        try:
            with open(os.path.join(self.folder, name), "rb") as file:
                return file.read()
        except OSError:
            return b"not found"


class Client(QuicConnectionProtocol):
    """Collects the answers, one future for each request."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.answers = {}

    def get(self, path):
        stream = self._quic.get_next_available_stream_id()
        done = asyncio.get_running_loop().create_future()
        self.answers[stream] = (bytearray(), done)
        self._quic.send_stream_data(stream, f"GET /{path}\r\n".encode(), True)
        self.transmit()
        return done

    def quic_event_received(self, event):
        if isinstance(event, StreamDataReceived) and event.stream_id in self.answers:
            data, done = self.answers[event.stream_id]
            data += event.data
            if event.end_stream and not done.done():
                done.set_result(bytes(data))
        elif isinstance(event, ConnectionTerminated):
            for _, done in self.answers.values():
                if not done.done():
                    done.set_exception(ConnectionError(str(event)))


async def run_server(address, port, certificate, key, folder):
    configuration = QuicConfiguration(is_client=False, alpn_protocols=ALPN)
    configuration.load_cert_chain(certificate, key)
    Server.folder = folder
    tickets = {}
    await serve(
        address,
        int(port),
        configuration=configuration,
        create_protocol=Server,
        retry=bool(os.environ.get("RETRY")),
        session_ticket_handler=lambda ticket: tickets.update({ticket.ticket: ticket}),
        session_ticket_fetcher=lambda label: tickets.pop(label, None),
    )
    print("listening", flush=True)
    await asyncio.Future()


async def fetch(client, folder, paths):
    requests = [(path, client.get(path)) for path in paths]
    for path, answer in requests:
        data = await answer
        with open(os.path.join(folder, os.path.basename(path)), "wb") as file:
            file.write(data)
        print(f"got {path}: {len(data)} bytes", flush=True)


async def run_client(host, port, authority, name, folder, *paths):
    configuration = QuicConfiguration(is_client=True, alpn_protocols=ALPN, server_name=name, idle_timeout=120)
    configuration.load_verify_locations(authority)
    if os.environ.get("CIPHER"):
        configuration.cipher_suites = [CipherSuite[os.environ["CIPHER"]]]
    if os.environ.get("VERSION") == "2":
        configuration.original_version = QuicProtocolVersion.VERSION_2
        configuration.supported_versions = [QuicProtocolVersion.VERSION_2, QuicProtocolVersion.VERSION_1]
    tickets = asyncio.Queue()

    def connection():
        return connect(host, int(port), configuration=configuration, create_protocol=Client, session_ticket_handler=tickets.put_nowait)

    if os.environ.get("RESUME"):
        async with connection() as client:
            await fetch(client, folder, paths)
            configuration.session_ticket = await tickets.get()
    async with connection() as client:
        if os.environ.get("KEY_UPDATE"):
            await client.ping()
            client.request_key_update()
        await fetch(client, folder, paths)
        if os.environ.get("RESUME") and not client._quic.tls.session_resumed:
            sys.exit("the session was not resumed")
        if os.environ.get("VERSION") == "2" and client._quic._version != QuicProtocolVersion.VERSION_2:
            sys.exit("the connection is not version 2")


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in ("server", "client"):
        sys.exit(__doc__)
    run = run_server if sys.argv[1] == "server" else run_client
    asyncio.run(run(*sys.argv[2:]))


main()
