import { setTimeout } from "node:timers/promises";

/** How long the server may be away, or a microVM without an answer. */
export const PATIENCE_MS = 120_000;

/** Tries again while the server is away; an answer, even a refusal, is an answer. */
export async function persist<T>(call: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await call();
    } catch (cause) {
      const { name, $metadata } = cause as { name?: string; $metadata?: { httpStatusCode?: number } };
      // A server that goes down says InternalServerException, which asks for another try.
      const isAnswer = $metadata?.httpStatusCode !== undefined && name !== "InternalServerException";
      if (isAnswer || performance.now() > deadline) throw cause;
      await setTimeout(50);
    }
  }
}
