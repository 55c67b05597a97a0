import type { Socket } from "node:net";
import { AppError } from "../errors/app-error.ts";
import { MAX_LINE_BYTES } from "../model/guest.ts";

/** Time and cancellation of one wait for the guest. */
export interface Patience {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

const LINE_FEED = 0x0a;
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;

/**
 * Reads one line without its line feed and leaves the socket paused, with every byte after the line unread. Throws
 * ERR_GUEST_PROTOCOL for a line that is too long or not printable ASCII, ERR_GUEST_UNREACHABLE when none comes in time,
 * ERR_CANCELLED when the signal aborts.
 */
export function readLine(socket: Socket, { timeoutMs, signal }: Patience): Promise<string> {
  return new Promise((resolve, reject) => {
    let pending: Buffer = Buffer.alloc(0);
    const timer = setTimeout(
      () => fail(unreachable(`The guest agent did not answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
    const fail = (error: AppError): void => {
      release();
      reject(error);
    };
    const onReadable = (): void => {
      for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) {
        pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
        const end = pending.indexOf(LINE_FEED);
        if (end >= MAX_LINE_BYTES || (end < 0 && pending.length >= MAX_LINE_BYTES)) {
          return fail(
            new AppError("ERR_GUEST_PROTOCOL", {
              message: `The guest agent sent a line of more than ${MAX_LINE_BYTES} bytes`,
            }),
          );
        }
        if (end < 0) continue;
        release();
        if (end + 1 < pending.length) socket.unshift(pending.subarray(end + 1));
        const line = pending.toString("latin1", 0, end);
        if (!PRINTABLE_ASCII.test(line))
          return reject(
            new AppError("ERR_GUEST_PROTOCOL", { message: "The guest agent sent a line that is not printable ASCII" }),
          );
        return resolve(line);
      }
    };
    const onEnd = (): void => fail(unreachable("The guest agent closed the connection without an answer"));
    const onError = (cause: Error): void => fail(unreachable("The connection to the guest agent broke", cause));
    const onAbort = (): void => fail(new AppError("ERR_CANCELLED", { cause: signal?.reason }));
    const release = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      socket.off("readable", onReadable).off("end", onEnd).off("close", onEnd).off("error", onError);
    };
    socket.on("readable", onReadable).on("end", onEnd).on("close", onEnd).on("error", onError);
    if (signal?.aborted) return onAbort();
    signal?.addEventListener("abort", onAbort);
    onReadable();
  });
}

function unreachable(message: string, cause?: unknown): AppError {
  return new AppError("ERR_GUEST_UNREACHABLE", { message, cause });
}
