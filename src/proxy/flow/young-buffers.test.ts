import { expect, test, vi } from "vitest";
import { YoungBuffers } from "./young-buffers.ts";

const MIB = 1024 * 1024;

test("what is young is collected once for every 32 MiB that passed", () => {
  const collect = vi.fn();
  const buffers = new YoungBuffers(collect);
  for (let chunk = 0; chunk < 31; chunk++) buffers.note(MIB);
  expect(collect).not.toHaveBeenCalled();
  for (let chunk = 0; chunk < 33; chunk++) buffers.note(MIB);
  expect(collect.mock.calls).toEqual([[{ type: "minor" }], [{ type: "minor" }]]);
});

test("a process that may not collect goes on without", () => {
  expect(() => new YoungBuffers(undefined).note(64 * MIB)).not.toThrow();
});
