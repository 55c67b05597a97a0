import { expect, onTestFinished, test, vi } from "vitest";
import { Deadline } from "./deadline.ts";

function useClock() {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  let wall = 1_000_000;
  const fired = vi.fn();
  const deadline = new Deadline(fired, () => wall);
  const pass = (ms: number) => {
    wall += ms;
    vi.advanceTimersByTime(ms);
  };
  return { deadline, fired, pass, jump: (ms: number) => (wall += ms), at: (ms: number) => wall + ms };
}

test("a deadline fires at its moment, once", () => {
  const { deadline, fired, pass, at } = useClock();
  deadline.set(at(5_000));
  pass(4_999);
  expect(fired).not.toHaveBeenCalled();
  pass(1);
  pass(3_600_000);
  expect(fired).toHaveBeenCalledTimes(1);
});

test("a clock set back, or days of waiting, do not make it early", () => {
  const { deadline, fired, pass, jump, at } = useClock();
  deadline.set(at(40 * 24 * 3_600_000));
  pass(1_000);
  jump(-10_000);
  pass(40 * 24 * 3_600_000 - 1_000);
  expect(fired).not.toHaveBeenCalled();
  pass(10_000);
  expect(fired).toHaveBeenCalledTimes(1);
});

test("a clock set forward is noticed within a minute", () => {
  const { deadline, fired, pass, jump, at } = useClock();
  deadline.set(at(8 * 3_600_000));
  jump(9 * 3_600_000);
  pass(60_000);
  expect(fired).toHaveBeenCalledTimes(1);
});

test("a moment that has passed fires at once, and a cleared one never", () => {
  const { deadline, fired, pass, at } = useClock();
  deadline.set(at(-1));
  pass(1);
  expect(fired).toHaveBeenCalledTimes(1);
  deadline.set(at(100));
  deadline.set(undefined);
  pass(200);
  expect(fired).toHaveBeenCalledTimes(1);
});
