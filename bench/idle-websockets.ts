/**
 * The clients of idle WebSockets: `node idle-websockets.ts PORT HOST TOKEN COUNT`. Prints a line once all are open; for
 * each line it is sent it has every one of them echo a frame, and prints how many did.
 */
import { once } from "node:events";
import { createInterface } from "node:readline";
import { connect, type TLSSocket } from "node:tls";
import { runLimited } from "../src/util/run-limited.ts";

const [port = "", host = "", token = "", count = "0"] = process.argv.slice(2);
const HANDSHAKES_AT_ONCE = 64;
/** A masked text frame of one letter. */
const FRAME = Buffer.from([0x81, 0x81, 1, 2, 3, 4, 0x79]);
const ECHO_LIMIT_MS = 60_000;
const HEAD = `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: a2V5a2V5a2V5a2V5a2V5aw==\r\nx-aws-proxy-auth: ${token}\r\n\r\n`;

const sockets: TLSSocket[] = [];
let session: Buffer | undefined;

async function open(): Promise<void> {
  const socket = connect({ port: Number(port), servername: host, session, rejectUnauthorized: false });
  socket.once("session", (ticket) => (session ??= ticket));
  socket.setNoDelay(true).on("error", (error) => console.error(`a WebSocket: ${error.message}`));
  socket.write(HEAD);
  const [answer] = (await once(socket, "data")) as [Buffer];
  if (!answer.toString("latin1").startsWith("HTTP/1.1 101 ")) throw new Error(answer.toString("latin1").slice(0, 200));
  sockets.push(socket);
}

async function echo(): Promise<number> {
  let answered = 0;
  await runLimited(sockets, HANDSHAKES_AT_ONCE, async (socket) => {
    socket.write(FRAME);
    await once(socket, "data", { signal: AbortSignal.timeout(ECHO_LIMIT_MS) });
    answered++;
  });
  return answered;
}

const begun = performance.now();
await runLimited(Array.from({ length: Number(count) }), HANDSHAKES_AT_ONCE, open);
console.log(Math.round(performance.now() - begun));
for await (const _ of createInterface({ input: process.stdin })) console.log(await echo());
process.exit();
