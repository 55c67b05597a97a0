import { connect, type Socket } from "node:net";
import { summarize, type Summary } from "./quantiles.ts";

export interface KeepAliveLoad {
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  /** Gives the bytes of the next request. */
  readonly next: () => Buffer;
}

export interface KeepAliveResult {
  readonly requestsPerSecond: number;
  readonly milliseconds: Summary;
  /** Answers that were not 2xx. */
  readonly failed: number;
  /** The first of those. */
  readonly failure?: string;
}

/** Asks over kept-alive connections for a while, one request at a time on each. */
export async function keepAliveLoad(load: KeepAliveLoad): Promise<KeepAliveResult> {
  const times: number[] = [];
  const failures: string[] = [];
  const begun = performance.now();
  const end = begun + load.seconds * 1000;
  await Promise.all(Array.from({ length: load.connections }, () => converse(load, { end, times, failures })));
  const seconds = (performance.now() - begun) / 1000;
  return {
    requestsPerSecond: times.length / seconds,
    milliseconds: summarize(times),
    failed: failures.length,
    failure: failures[0],
  };
}

interface Tally {
  readonly end: number;
  readonly times: number[];
  readonly failures: string[];
}

function converse({ port, next }: KeepAliveLoad, { end, times, failures }: Tally): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({ port, host: "127.0.0.1", noDelay: true });
    let sentAt = 0;
    let pending: Buffer = Buffer.alloc(0);
    const send = () => {
      const now = performance.now();
      if (now >= end) return void socket.destroy();
      sentAt = now;
      socket.write(next());
    };
    socket.on("connect", send);
    socket.on("error", reject);
    socket.on("close", () => resolve());
    socket.on("data", (bytes) => {
      pending = pending.length === 0 ? bytes : Buffer.concat([pending, bytes]);
      if (!isWhole(pending)) return;
      times.push(performance.now() - sentAt);
      if (pending[9] !== 0x32) failures.push(pending.toString("latin1"));
      pending = Buffer.alloc(0);
      send();
    });
  });
}

/** Whether an answer, which has a length or no body, has arrived. */
function isWhole(bytes: Buffer): boolean {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd === -1) return false;
  const length = /content-length: (\d+)/i.exec(bytes.toString("latin1", 0, headEnd))?.[1] ?? "0";
  return bytes.length >= headEnd + 4 + Number(length);
}
