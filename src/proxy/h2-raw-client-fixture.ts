import { connect, type TLSSocket } from "node:tls";
import { onTestFinished } from "vitest";
import type { ProxyFixture } from "./proxy-fixture.ts";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
export const TYPE = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const END_STREAM = 1;
export const END_HEADERS = 4;

export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Fields as HPACK literals that are not indexed. */
export function block(fields: readonly (readonly [string, string])[]): Buffer {
  const text = (value: string): Buffer => Buffer.concat([integer(Buffer.byteLength(value)), Buffer.from(value)]);
  return Buffer.concat(fields.map(([name, value]) => Buffer.concat([Buffer.of(0), text(name), text(value)])));
}

/** With a prefix of 7 bits. */
function integer(value: number): Buffer {
  if (value < 127) return Buffer.of(value);
  const bytes = [127];
  let rest = value - 127;
  for (; rest >= 128; rest >>>= 7) bytes.push((rest % 128) + 128);
  return Buffer.of(...bytes, rest);
}

export interface RawFrame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** A client that speaks HTTP/2 as a test wants it, frame by frame. */
export interface RawClient {
  readonly socket: TLSSocket;
  /** A request's fields, encoded. */
  readonly head: (path?: string, method?: string) => Buffer;
  /** What came, and the last GOAWAY's code. */
  readonly seen: { types: number[]; frames: RawFrame[]; goaway: number | undefined; isClosed: boolean };
}

/** `settings`: the payload of its first frame. */
export async function useRawClient(fixture: ProxyFixture, settings = Buffer.alloc(0)): Promise<RawClient> {
  const { host } = fixture.microvm;
  const token = await fixture.token();
  const options = { host: "127.0.0.1", port: fixture.port, servername: host, ca: fixture.certificates.rootPem };
  const socket = connect({ ...options, ALPNProtocols: ["h2"] });
  onTestFinished(() => void socket.destroy());
  await new Promise((resolve) => socket.once("secureConnect", resolve));
  const seen: RawClient["seen"] = { types: [], frames: [], goaway: undefined, isClosed: false };
  let pending = Buffer.alloc(0);
  socket.on("error", () => {}).once("close", () => (seen.isClosed = true));
  socket.on("data", (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 9 && pending.length >= 9 + pending.readUIntBE(0, 3)) {
      const length = pending.readUIntBE(0, 3);
      const type = pending[3] ?? 0;
      seen.types.push(type);
      const payload = pending.subarray(9, 9 + length);
      seen.frames.push({ type, flags: pending[4] ?? 0, stream: pending.readUInt32BE(5), payload });
      if (type === TYPE.goaway) seen.goaway = pending.readUInt32BE(13);
      pending = pending.subarray(9 + length);
    }
  });
  socket.write(Buffer.concat([Buffer.from(PREFACE), frame(TYPE.settings, 0, 0, settings)]));
  const head = (path = "/", method = "GET"): Buffer =>
    block([
      ...([
        [":method", method],
        [":scheme", "https"],
        [":authority", host],
        [":path", path],
      ] as const),
      ["x-aws-proxy-auth", token],
    ]);
  return { socket, head, seen };
}
