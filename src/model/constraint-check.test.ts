import * as fc from "fast-check";
import { expect, test } from "vitest";
import { describeViolations, findViolations } from "./constraint-check.ts";
import { CONSTRAINTS, type OperationName } from "./constraints.ts";

const ROLE = "arn:aws:iam::123456789012:role/BuildRole";
const IMAGE = "arn:aws:lambda:us-east-1:123456789012:microvm-image:app";
const create = { name: "app", baseImageArn: "arn:x", buildRoleArn: ROLE, codeArtifact: { uri: "s3://b/k" } };

function message(operation: OperationName, input: unknown): string {
  const found = findViolations(CONSTRAINTS[operation], input);
  return found.length === 0 ? "" : describeViolations(found);
}

const one = (path: string, rule: string) =>
  `1 validation error detected: Value at '${path}' failed to satisfy constraint: Member must ${rule}`;

test.each<[OperationName, object, string]>([
  [
    "RunMicrovm",
    { imageIdentifier: IMAGE, runHookPayload: "x".repeat(4097) },
    one("runHookPayload", "have length less than or equal to 4096"),
  ],
  [
    "RunMicrovm",
    { imageIdentifier: IMAGE, idlePolicy: { maxIdleDurationSeconds: 60, suspendedDurationSeconds: 0 } },
    "1 validation error detected: Value null at 'idlePolicy.autoResumeEnabled' failed to satisfy constraint: Member must not be null",
  ],
  [
    "RunMicrovm",
    {
      imageIdentifier: IMAGE,
      idlePolicy: { maxIdleDurationSeconds: 30, suspendedDurationSeconds: 0, autoResumeEnabled: true },
    },
    one("idlePolicy.maxIdleDurationSeconds", "have value greater than or equal to 60"),
  ],
  [
    "RunMicrovm",
    { imageIdentifier: IMAGE, maximumDurationInSeconds: 28_801 },
    one("maximumDurationInSeconds", "have value less than or equal to 28800"),
  ],
  ["ListMicrovms", { maxResults: 51 }, one("maxResults", "have value less than or equal to 50")],
  ["ListMicrovms", { maxResults: 0 }, one("maxResults", "have value greater than or equal to 1")],
  ["ListMicrovms", { maxResults: 1.5 }, one("maxResults", "be an integer")],
  [
    "CreateMicrovmImage",
    { ...create, cpuConfigurations: [{ architecture: "RISCV_64" }] },
    one("cpuConfigurations.1.member.architecture", "satisfy enum value set: [ARM_64, X86_64]"),
  ],
  ["CreateMicrovmImage", { ...create, name: "a b" }, one("name", "satisfy regular expression pattern: [a-zA-Z0-9-_]+")],
  ["CreateMicrovmImage", { ...create, name: "x".repeat(65) }, one("name", "have length less than or equal to 64")],
  ["CreateMicrovmImage", { ...create, codeArtifact: {} }, one("codeArtifact", "have exactly one of: [uri]")],
  [
    "CreateMicrovmImage",
    { ...create, egressNetworkConnectors: ["a", "b"] },
    one("egressNetworkConnectors", "have length less than or equal to 1"),
  ],
  [
    "CreateMicrovmImage",
    { ...create, hooks: { port: 65536 } },
    one("hooks.port", "have value less than or equal to 65535"),
  ],
  [
    "CreateMicrovmImage",
    { ...create, hooks: { microvmHooks: { runTimeoutInSeconds: 61 } } },
    one("hooks.microvmHooks.runTimeoutInSeconds", "have value less than or equal to 60"),
  ],
  [
    "CreateMicrovmImage",
    { ...create, environmentVariables: { "A B": "x" } },
    "1 validation error detected: Value at 'environmentVariables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [^\\s]+]",
  ],
  [
    "CreateMicrovmAuthToken",
    { microvmIdentifier: "m", expirationInMinutes: 5, allowedPorts: [] },
    one("allowedPorts", "have length greater than or equal to 1"),
  ],
  [
    "CreateMicrovmAuthToken",
    { microvmIdentifier: "m", expirationInMinutes: 5, allowedPorts: [{ port: 1, allPorts: {} }] },
    one("allowedPorts.1.member", "have exactly one of: [port, range, allPorts]"),
  ],
  [
    "UpdateMicrovmImageVersion",
    { imageIdentifier: IMAGE, imageVersion: "1", status: "ON" },
    one("status", "satisfy enum value set: [ACTIVE, INACTIVE]"),
  ],
])("%s %j is refused in the service's words", (operation, input, expected) => {
  expect(message(operation, input)).toBe(expected);
});

test("several violations are counted and joined", () => {
  expect(message("CreateMicrovmImage", { ...create, name: null, buildRoleArn: "arn" })).toBe(
    "2 validation errors detected: Value at 'buildRoleArn' failed to satisfy constraint: Member must have length greater than or equal to 20; " +
      "Value null at 'name' failed to satisfy constraint: Member must not be null",
  );
});

test("limits are inclusive", () => {
  expect(
    message("RunMicrovm", {
      imageIdentifier: IMAGE,
      runHookPayload: "x".repeat(4096),
      maximumDurationInSeconds: 28_800,
    }),
  ).toBe("");
  expect(
    message("CreateMicrovmImage", {
      ...create,
      name: "x".repeat(64),
      egressNetworkConnectors: [],
      tags: { "a ü/b": "" },
    }),
  ).toBe("");
});

test("no value makes the check throw, of whatever type its members are", () => {
  const names = Object.keys(CONSTRAINTS) as OperationName[];
  const members = names.flatMap((name) => Object.keys(CONSTRAINTS[name].members));
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.dictionary(fc.constantFrom(...members), fc.anything()), (name, input) => {
      expect(Array.isArray(findViolations(CONSTRAINTS[name], input))).toBe(true);
    }),
  );
});

test("a character beyond the basic plane counts as one", () => {
  const run = { imageIdentifier: "arn", runHookPayload: "😀".repeat(4096) };
  expect(findViolations(CONSTRAINTS.RunMicrovm, run)).toEqual([]);
  expect(findViolations(CONSTRAINTS.RunMicrovm, { ...run, runHookPayload: `${run.runHookPayload}x` })).toEqual([
    "Value at 'runHookPayload' failed to satisfy constraint: Member must have length less than or equal to 4096",
  ]);
  expect(findViolations(CONSTRAINTS.RunMicrovm, { ...run, runHookPayload: "\ud83d".repeat(4097) })).toHaveLength(1);
});
