"""A person at a shell through Python's websockets: connects as told in JSON on standard input, tells in JSON what came."""

import asyncio
import json
import ssl
import sys

import websockets


async def terminal(order):
    context = ssl.create_default_context(cafile=order["ca"])
    seen, texts = b"", []

    async with websockets.connect(
        order["url"], subprotocols=order["protocols"], additional_headers=order["headers"], ssl=context, proxy=None
    ) as socket:

        async def until(wanted):
            nonlocal seen
            while wanted.encode() not in seen:
                message = await asyncio.wait_for(socket.recv(), 60)
                if isinstance(message, str):
                    texts.append(json.loads(message))
                else:
                    seen += message
            before, _, seen = seen.partition(wanted.encode())
            return before.decode(errors="replace")

        said = []
        for step in order["steps"]:
            if "send" in step:
                await socket.send(step["send"])
            elif "type" in step:
                await socket.send(step["type"].encode())
            else:
                said.append(await until(step["until"]))
        await asyncio.wait_for(socket.wait_closed(), 60)
        return {
            "protocol": socket.subprotocol,
            "texts": texts,
            "said": said,
            "close": [socket.close_code, socket.close_reason],
        }


print(json.dumps(asyncio.run(terminal(json.load(sys.stdin)))))
