import { expect, test } from "vitest";
import { GroupFlush } from "./group-flush.ts";

/** A disk that flushes when the test says so. */
function useDisk() {
  const flushes: PromiseWithResolvers<void>[] = [];
  const group = new GroupFlush(() => {
    const flush = Promise.withResolvers<void>();
    flushes.push(flush);
    return flush.promise;
  });
  const done: string[] = [];
  const write = (name: string) =>
    void group.wait().then(
      () => done.push(name),
      () => done.push(`${name} failed`),
    );
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  return { flushes, done, write, settled };
}

test("writers who come during a flush share the next one and do not end with the one that runs", async () => {
  const { flushes, done, write, settled } = useDisk();
  write("a");
  await settled();
  write("b");
  write("c");
  await settled();
  expect([flushes.length, done]).toEqual([1, []]);
  flushes[0]?.resolve();
  await settled();
  expect([flushes.length, done]).toEqual([2, ["a"]]);
  flushes[1]?.resolve();
  await settled();
  expect([flushes.length, done]).toEqual([2, ["a", "b", "c"]]);
});

test("writers of the same moment share one flush", async () => {
  const { flushes, done, write, settled } = useDisk();
  for (const name of ["a", "b", "c"]) write(name);
  await settled();
  flushes[0]?.resolve();
  await settled();
  expect([flushes.length, done]).toEqual([1, ["a", "b", "c"]]);
});

test("after a failure nothing counts as written any more", async () => {
  const { flushes, done, write, settled } = useDisk();
  write("a");
  await settled();
  write("b");
  flushes[0]?.reject(new Error("EIO"));
  await settled();
  write("c");
  await settled();
  expect([flushes.length, done]).toEqual([1, ["a failed", "b failed", "c failed"]]);
});
