/** How slow clients may be, whatever they speak. */
export interface ClientLimits {
  /** For a request's head, from its first byte, or the first one's from the start of the connection. */
  readonly headMs: number;
  /** Between an answer and the next request. */
  readonly idleMs: number;
}

export const CLIENT_LIMITS: ClientLimits = { headMs: 30_000, idleMs: 65_000 };

/** How long what a client still sends is read after the end, so that closing does not destroy what was said last. */
export const LINGER_MS = 2000;

const CHECK_MS = 1000;

/** One timer for the deadlines of many. */
export function checkEvery(
  { headMs, idleMs }: ClientLimits,
  connections: Iterable<{ check(now: number): void }>,
): NodeJS.Timeout {
  const check = (): void => {
    const now = performance.now();
    for (const connection of connections) connection.check(now);
  };
  return setInterval(check, Math.min(CHECK_MS, headMs, idleMs)).unref();
}
