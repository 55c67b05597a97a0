import { request } from "node:http";
import type { Duplex } from "node:stream";
import type { GuestLink } from "../guest-link/guest-link.ts";
import { HOOK_PATH_PREFIX, type HookName } from "../model/hooks.ts";

export type HookOutcome =
  | { readonly outcome: "answered"; readonly status: number }
  /** Nothing listens on the hooks' port. */
  | { readonly outcome: "refused" }
  | { readonly outcome: "timed-out" }
  /** The connection broke, or what came was not HTTP. */
  | { readonly outcome: "failed" };

export interface HookCall {
  readonly hook: HookName;
  readonly port: number;
  readonly timeoutMs: number;
  /** JSON text; only /run has one. */
  readonly body?: string;
  /** Gives up early; the outcome is then "failed". */
  readonly signal?: AbortSignal;
}

/** A hook's answer is its status; headers are read only this far. */
const MAX_HEADER_BYTES = 16 * 1024;

/**
 * One POST from 127.0.0.1 to a hook of the guest's app (contract 5), on a connection of its own: one kept over a suspend
 * would be found dead by the next hook.
 */
export async function callHook(link: GuestLink, call: HookCall): Promise<HookOutcome> {
  const limit = AbortSignal.timeout(call.timeoutMs);
  const end = call.signal === undefined ? limit : AbortSignal.any([limit, call.signal]);
  try {
    const stream = await link.relay(call.port, end);
    if (!("refused" in stream)) return { outcome: "answered", status: await post(stream, call, end) };
    if (stream.refused === "port-closed") return { outcome: "refused" };
  } catch {
    // which of the two it was, the limit tells
  }
  return { outcome: limit.aborted ? "timed-out" : "failed" };
}

async function post(stream: Duplex, call: HookCall, end: AbortSignal): Promise<number> {
  if (end.aborted) stream.destroy();
  end.throwIfAborted();
  return new Promise((resolve, reject) => {
    const stop = () => stream.destroy(new Error("the hook's time is up"));
    end.addEventListener("abort", stop, { once: true });
    stream.once("close", () => end.removeEventListener("abort", stop));
    const sent = request({
      createConnection: () => stream,
      method: "POST",
      path: `${HOOK_PATH_PREFIX}/${call.hook}`,
      maxHeaderSize: MAX_HEADER_BYTES,
      headers: {
        host: `localhost:${call.port}`,
        connection: "close",
        "content-length": Buffer.byteLength(call.body ?? ""),
        ...(call.body === undefined ? {} : { "content-type": "application/json" }),
      },
    });
    sent.on("response", (answer) => {
      resolve(answer.statusCode ?? 0);
      answer.destroy(); // only the status counts
      stream.destroy();
    });
    sent.on("error", reject);
    sent.end(call.body);
  });
}
