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
}

/** A hook's answer is its status; headers are read only this far. */
const MAX_HEADER_BYTES = 16 * 1024;

/**
 * One POST from 127.0.0.1 to a hook of the guest's app (contract 5), on a connection of its own: one kept over a suspend
 * would be found dead by the next hook.
 */
export async function callHook(link: GuestLink, call: HookCall): Promise<HookOutcome> {
  const limit = AbortSignal.timeout(call.timeoutMs);
  try {
    const stream = await link.relay(call.port, limit);
    if ("refused" in stream) {
      if (stream.refused === "port-closed") return { outcome: "refused" };
      return { outcome: limit.aborted ? "timed-out" : "failed" };
    }
    return { outcome: "answered", status: await post(stream, call, limit) };
  } catch {
    return { outcome: limit.aborted ? "timed-out" : "failed" };
  }
}

function post(stream: Duplex, call: HookCall, limit: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const stop = () => stream.destroy(new Error("the hook's time is up"));
    limit.addEventListener("abort", stop, { once: true });
    stream.once("close", () => limit.removeEventListener("abort", stop));
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
