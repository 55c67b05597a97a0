"""A page with assets, server-sent events, a WebSocket and uploads on 8080; another application on 3000."""

import asyncio
from pathlib import Path

from aiohttp import WSMsgType, web

HERE = Path(__file__).parent


def file(name):
    async def handler(_request):
        return web.FileResponse(HERE / name)

    return handler


async def events(request):
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(request)
    number = int(request.headers.get("Last-Event-ID", "0"))
    while True:
        number += 1
        await response.write(f"id: {number}\ndata: tick {number}\n\n".encode())
        await asyncio.sleep(0.2)


async def echo(request):
    socket = web.WebSocketResponse(protocols=["chat"], max_msg_size=2**24)
    await socket.prepare(request)
    async for message in socket:
        if message.type == WSMsgType.TEXT:
            await socket.send_str(f"echo {message.data}")
        elif message.type == WSMsgType.BINARY:
            await socket.send_bytes(message.data[::-1])
    return socket


async def upload(request):
    size = 0
    async for chunk in request.content.iter_any():
        size += len(chunk)
    response = web.json_response({"size": size, "cookies": request.headers.get("Cookie", "")})
    response.set_cookie("own", "kept")
    return response


async def other(request):
    return web.Response(text=f"<h1>for everybody</h1><p>{request.path}", content_type="text/html")


async def main():
    app = web.Application(client_max_size=2**30)
    app.router.add_get("/", file("page.html"))
    app.router.add_get("/page.css", file("page.css"))
    app.router.add_get("/page.js", file("page.js"))
    app.router.add_get("/events", events)
    app.router.add_get("/ws", echo)
    app.router.add_post("/upload", upload)
    public = web.Application()
    public.router.add_get("/{path:.*}", other)
    for application, port in ((app, 8080), (public, 3000)):
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


asyncio.run(main())
