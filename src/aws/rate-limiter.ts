import type { CallRate, Quotas } from "../model/quotas.ts";

interface Bucket {
  tokens: number;
  /** Epoch milliseconds of the last look. */
  at: number;
}

/** Call rates as token buckets, one for each account and operation with a rate. */
export class RateLimiter {
  readonly #rates: Readonly<Record<string, CallRate>>;
  readonly #now: () => number;
  readonly #buckets = new Map<string, Bucket>();

  constructor({ rates = {} }: Quotas, now: () => number) {
    this.#rates = rates;
    this.#now = now;
  }

  /** Whole seconds after which the call may be made; undefined, and counted, when it may be made now. */
  take(accountId: string, operation: string): number | undefined {
    const rate = Object.hasOwn(this.#rates, operation) ? this.#rates[operation] : undefined;
    if (rate === undefined) return undefined;
    const bucket = this.#refilled(`${accountId} ${operation}`, rate);
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return undefined;
    }
    return Math.max(1, Math.ceil((1 - bucket.tokens) / rate.perSecond));
  }

  #refilled(key: string, { perSecond, burst }: CallRate): Bucket {
    const now = this.#now();
    const bucket = this.#buckets.get(key) ?? { tokens: burst, at: now };
    const elapsed = Math.max(0, now - bucket.at); // a clock set back refills nothing
    bucket.tokens = Math.min(burst, bucket.tokens + (elapsed / 1000) * perSecond);
    bucket.at = now;
    this.#buckets.set(key, bucket);
    return bucket;
  }
}
