import { setTimeout } from "node:timers/promises";

/** Polls until the probe gives something; what it last saw is in the error when the limit passes. */
export async function eventually<T>(
  what: string,
  limitMs: number,
  probe: () => Promise<{ done: T } | { saw: string }>,
): Promise<T> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const result = await probe();
    if ("done" in result) return result.done;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${limitMs} ms; last seen: ${result.saw}`);
    await setTimeout(50);
  }
}
