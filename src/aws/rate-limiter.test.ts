import { expect, test } from "vitest";
import { RateLimiter } from "./rate-limiter.ts";

function use(rates: Record<string, { perSecond: number; burst: number }>) {
  let now = 1_000_000;
  const limiter = new RateLimiter({ rates }, () => now);
  const take = (operation = "Run", account = "a") => limiter.take(account, operation);
  return { take, advance: (ms: number) => (now += ms) };
}

test("a burst passes, then as many as the rate allows", () => {
  const { take, advance } = use({ Run: { perSecond: 2, burst: 3 } });
  expect([take(), take(), take()]).toEqual([undefined, undefined, undefined]);
  expect(take()).toBe(1);
  advance(500);
  expect(take()).toBeUndefined();
  expect(take()).toBe(1);
  advance(60_000);
  expect([take(), take(), take(), take()]).toEqual([undefined, undefined, undefined, 1]);
});

test("a slow rate says how long to wait, and refused calls cost nothing", () => {
  const { take, advance } = use({ Run: { perSecond: 0.1, burst: 1 } });
  take();
  expect([take(), take()]).toEqual([10, 10]);
  advance(4_000);
  expect(take()).toBe(6);
  advance(6_000);
  expect(take()).toBeUndefined();
});

test("accounts and operations have buckets of their own, and what has no rate passes", () => {
  const { take } = use({ Run: { perSecond: 1, burst: 1 }, Get: { perSecond: 1, burst: 1 } });
  expect([take("Run", "a"), take("Run", "b"), take("Get", "a"), take("toString", "a")]).toEqual(
    Array.from({ length: 4 }, () => undefined),
  );
  expect(take("Run", "a")).toBe(1);
});

test("a clock set back refills nothing and breaks nothing", () => {
  const { take, advance } = use({ Run: { perSecond: 1, burst: 1 } });
  take();
  advance(-3600_000);
  expect(take()).toBe(1);
  advance(1_000);
  expect(take()).toBeUndefined();
});
