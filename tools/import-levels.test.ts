import { expect, test } from "vitest";
import { findCycles } from "./import-cycles.ts";
import { judge } from "./import-levels.ts";

const fault = (from: string, to: string) => judge({ from: `src/${from}.ts`, to }, ["vitest"]);

test.each([
  ["main/server", "src/aws/dispatch.ts"],
  ["aws/iam/get-role", "src/store/iam-store.ts"],
  ["lifecycle/microvm-life", "src/network/slot-pool.ts"],
  ["lifecycle/microvm-life", "src/build/image-builder.ts"],
  ["network/slot", "src/engine/engine.ts"],
  ["cli/up", "src/config/options.ts"],
  ["util/run-command", "src/errors/app-error.ts"],
  ["model/arn.test", "vitest"],
])("%s may import %s", (from, to) => {
  expect(fault(from, to)).toBeUndefined();
});

test.each([
  ["model/arn", "src/engine/engine.ts", /above/],
  ["store/store", "src/aws/service.ts", /above/],
  ["engine/qemu/qemu-engine", "src/network/slot-setup.ts", /ports only/],
  ["proxy/forward", "src/aws/dispatch.ts", /ports only/],
  ["cli/up", "src/store/store.ts", /command line/],
  ["engine/qemu/qemu-engine", "src/engine/firecracker/boot.ts", /qemu may not import firecracker/],
  ["aws/s3/buckets", "src/aws/iam/role-view.ts", /s3 may not import iam/],
  ["model/arn", "vitest", /development package/],
  ["model/arn", "test/support/aws.ts", /tests/],
  ["model/arn", "src/model/ids.test.ts", /tests/],
  ["console/page", "src/model/arn.ts", /in no level/],
])("%s may not import %s", (from, to, reason) => {
  expect(fault(from, to)).toMatch(reason);
});

test("a cycle is told with every file on it, and a diamond is none", () => {
  const edges = (...pairs: string[]) => pairs.map((pair) => ({ from: pair.charAt(0), to: pair.charAt(1) }));
  expect(findCycles(edges("ab", "bc", "ca"))).toEqual([["a", "b", "c", "a"]]);
  expect(findCycles(edges("ab", "ac", "bd", "cd"))).toEqual([]);
});
