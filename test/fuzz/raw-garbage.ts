import type { Random } from "../support/random.ts";

const HEADS: readonly string[] = [
  "GET / HTTP/1.1\r\n\r\n",
  "GET /\r\n",
  "GET / HTTP/9.9\r\nhost: a\r\n\r\n",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
  "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n",
  'POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5;x="y\r\nhello\r\n0\r\n\r\n',
  "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
  "GET http://127.0.0.1/health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
  "OPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
  "CONNECT 127.0.0.1:22 HTTP/1.1\r\nhost: a\r\n\r\n",
  "GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
  "GET / HTTP/1.1\r\nhost: a\r\n folded: b\r\n\r\n",
  "GET / HTTP/1.1\r\nhost: a\r\nbad\0name: b\r\n\r\n",
  "GET / HTTP/1.1\nhost: a\nconnection: close\n\n",
  "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  "\r\n\r\n\r\n",
  "SSH-2.0-x\r\n",
];

/** Bytes that are no HTTP, or HTTP at its edges, in one to three pieces. */
export function rawGarbage(random: Random): Buffer[] {
  const base = random.chance(0.3) ? random.bytes(random.integer(1, 300)) : Buffer.from(random.pick(HEADS), "latin1");
  const bytes = Buffer.from(base);
  if (random.chance(0.3)) bytes[random.integer(0, bytes.length - 1)] = random.integer(0, 255);
  if (random.chance(0.05)) return [Buffer.from(`GET / HTTP/1.1\r\n${"x: y\r\n".repeat(20_000)}\r\n`)];
  const cut = random.integer(0, bytes.length);
  return random.chance(0.5) ? [bytes] : [bytes.subarray(0, cut), bytes.subarray(cut)];
}
