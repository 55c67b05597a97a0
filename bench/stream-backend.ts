/**
 * The application behind the proxies: `node stream-backend.ts`, a process of its own that prints its port. GET /N answers
 * with N bytes, other methods count what they are sent, and an upgrade is a WebSocket whose frames come back.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

const CHUNK = Buffer.alloc(256 * 1024, "x");

function send(response: ServerResponse, left: number): void {
  let rest = left;
  const fill = (): void => {
    while (rest > 0) {
      const chunk = rest < CHUNK.length ? CHUNK.subarray(0, rest) : CHUNK;
      rest -= chunk.length;
      if (!response.write(chunk)) return void response.once("drain", fill);
    }
    response.end();
  };
  fill();
}

const server = createServer((request, response) => {
  if (request.method === "GET") {
    const size = Number(request.url?.slice(1));
    response.setHeader("content-length", size);
    return send(response, size);
  }
  let size = 0;
  request.on("data", (chunk: Buffer) => (size += chunk.length));
  request.once("end", () => response.end(String(size)));
});
server.on("upgrade", ({ headers }, socket) => {
  const key = `${headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash("sha1").update(key).digest("base64");
  const head = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"];
  socket.write(`${head.join("\r\n")}\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk) => socket.write(chunk)); // whoever measures sends small frames, and wants the same bytes
});
server.requestTimeout = 0;
await once(server.listen(0, "127.0.0.1", 4096), "listening");
console.log((server.address() as AddressInfo).port);
