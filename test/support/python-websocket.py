"""Python's websockets: for each order on standard input (JSON), what became of a connection."""

import asyncio
import json
import ssl
import sys

import websockets


async def ask(order):
    context = ssl.create_default_context(cafile=order["ca"])
    options = {"subprotocols": order.get("protocols"), "additional_headers": order.get("headers"), "proxy": None}
    try:
        async with websockets.connect(order["url"], ssl=context, **options) as socket:
            await socket.send("hello")
            text = await asyncio.wait_for(socket.recv(), 60)
            await socket.send(bytes([1, 2, 255]))
            binary = await asyncio.wait_for(socket.recv(), 60)
            return {"protocol": socket.subprotocol, "text": text, "binary": list(binary)}
    except websockets.InvalidStatus as refused:
        return {"status": refused.response.status_code, "body": refused.response.body.decode()}


async def main():
    print(json.dumps([await ask(order) for order in json.load(sys.stdin)]))


asyncio.run(main())
