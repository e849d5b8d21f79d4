"""Speaks TLS in front of a Unix socket, as stunnel would: the Redis of the wheel cannot.

    python -m tests.tls_proxy CERTIFICATE KEY SOCKET

It listens on a port of its own choice, which it prints. A program: the tests stay free of its threads and sockets.
"""

import asyncio
import contextlib
import ssl
import sys


async def main(certificate: str, key: str, socket: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside_reader, inside_writer = await asyncio.open_unix_connection(socket)
        # As soon as one side has ended there is nobody to speak to.
        await asyncio.wait(
            [
                asyncio.create_task(pump(reader, inside_writer)),
                asyncio.create_task(pump(inside_reader, writer)),
            ],
            return_when=asyncio.FIRST_COMPLETED,
        )
        inside_writer.close()
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
