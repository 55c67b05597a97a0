import { expect, test } from "vitest";
import type { ContainerConfig } from "../model/container.ts";
import { encodeStartConfig } from "./start-config.ts";

const CONFIG: ContainerConfig = {
  argv: ["sh", "-c", "échø"],
  env: { A: "b=c", EMPTY: "" },
  workingDir: "",
  user: "app:app",
  exposedTcpPorts: [],
  stopSignal: 15,
  allCapabilities: false,
};

test("every part of the container becomes a record", () => {
  expect(encodeStartConfig(CONFIG).toString("utf8").split("\0")).toEqual([
    "dir=/",
    "user=app:app",
    "stop-signal=15",
    "capabilities=default",
    "arg=sh",
    "arg=-c",
    "arg=échø",
    "env=A=b=c",
    "env=EMPTY=",
    "",
  ]);
});

test("a NUL byte cannot smuggle a record in", () => {
  expect(() => encodeStartConfig({ ...CONFIG, env: { A: "x\0capabilities=all" } })).toThrow(/NUL byte/);
});

test("a configuration beyond the contract's size is refused before it is sent", () => {
  expect(() => encodeStartConfig({ ...CONFIG, argv: ["x".repeat(600_000)] })).toThrow(/at most 524288/);
});
