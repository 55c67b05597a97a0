import * as lambdaSchemas from "@aws-sdk/client-lambda-microvms";
import { expect, test } from "vitest";
import * as coreSchemas from "../../../src/aws/lambda-core/schemas.ts";
import { readServiceModel } from "../../../src/aws/protocol/service-model.ts";
import { FAULT_INPUTS } from "./fault-inputs.ts";
import { LISTED_FAULTS, NEVER } from "./listed-faults.ts";
import { connectorSettings, makeConnector, useSmallWorld, type SmallWorld, type WireAnswer } from "../small-world.ts";

const TIMEOUT_MS = 60_000;
const CORE = readServiceModel(coreSchemas);
const MODELS = [readServiceModel(lambdaSchemas), CORE];
const OPERATIONS = Object.keys(LISTED_FAULTS);

/** Faults that the tests below draw from every operation that lists them. */
const OF_EVERY_OPERATION = [
  "AccessDenied",
  "Validation",
  "InvalidParameterValue",
  "ResourceNotFound",
  "Throttling",
  "TooManyRequests",
  "ServiceQuotaExceeded",
  "NetworkConnectorLimitExceeded",
  "InternalServer",
  "Service",
];
/** And those of whom a test below draws a conflict. */
const CONFLICTS = {
  ofTokens: [
    "CreateMicrovmImage",
    "UpdateMicrovmImage",
    "RunMicrovm",
    "CreateNetworkConnector",
    "UpdateNetworkConnector",
  ],
  ofStates: [
    "DeleteMicrovmImage",
    "SuspendMicrovm",
    "ResumeMicrovm",
    "UpdateMicrovmImageVersion",
    "DeleteMicrovmImageVersion",
  ],
};

/** The fault has the status of its model, and is one that the operation lists. */
function expectFault(operation: string, fault: string, answer: WireAnswer): void {
  const model = CORE.operations.has(operation) ? CORE : MODELS[0];
  const shape = `${fault}Exception`;
  expect([operation, answer.errorType, answer.status, answer.body]).toEqual([
    operation,
    shape,
    model?.errors.get(shape)?.status,
    expect.stringMatching(/"[mM]essage":"[^"]/),
  ]);
  expect(`${operation}: ${LISTED_FAULTS[operation]}`).toMatch(new RegExp(`\\b${fault}\\b`));
}

const listed = (fault: string) =>
  OPERATIONS.filter(
    (operation) => LISTED_FAULTS[operation]?.split(" ").includes(fault) && NEVER[operation]?.[fault] === undefined,
  );

const inputOf = (operation: string, kind: "good" | "bad" | "missing", world: SmallWorld) => {
  const make = FAULT_INPUTS[operation]?.[kind];
  if (make === undefined) throw new Error(`${operation} has no ${kind} input`);
  return make(world);
};

test("every operation of the models has its faults listed", () => {
  const known = MODELS.flatMap(({ operations }) => [...operations.keys()]);
  expect(OPERATIONS.toSorted()).toEqual(known.toSorted());
});

test("every fault that is listed is drawn by a test, or named with the reason why it never comes", () => {
  const faults = new Set(Object.values(LISTED_FAULTS).flatMap((names) => names.split(" ")));
  const conflicts = [...listed("Conflict"), ...listed("ResourceConflict")];
  expect(conflicts.toSorted()).toEqual([...CONFLICTS.ofTokens, ...CONFLICTS.ofStates].toSorted());
  const never = new Set([...faults].filter((fault) => listed(fault).length === 0));
  const drawn = [...OF_EVERY_OPERATION, "Conflict", "ResourceConflict", ...never];
  expect([...faults].filter((fault) => !drawn.includes(fault))).toEqual([]);
});

test("who may do nothing is denied every operation", { timeout: TIMEOUT_MS }, async () => {
  const world = await useSmallWorld();
  for (const operation of listed("AccessDenied"))
    expectFault(
      operation,
      "AccessDenied",
      await world.call(operation, inputOf(operation, "good", world), world.nobody),
    );
});

test("a member that breaks its constraint is refused by every operation", { timeout: TIMEOUT_MS }, async () => {
  const world = await useSmallWorld();
  for (const fault of ["Validation", "InvalidParameterValue"])
    for (const operation of listed(fault)) {
      if (operation === "TagResource" && fault === "InvalidParameterValue") continue; // below
      expectFault(operation, fault, await world.call(operation, inputOf(operation, "bad", world)));
    }
  const reserved = { Resource: world.imageArn, Tags: { "aws:a": "1" } };
  expectFault("TagResource", "InvalidParameterValue", await world.call("TagResource", reserved));
});

test("what is not there is not found", { timeout: TIMEOUT_MS }, async () => {
  const world = await useSmallWorld();
  for (const operation of listed("ResourceNotFound"))
    expectFault(operation, "ResourceNotFound", await world.call(operation, inputOf(operation, "missing", world)));
});

test("calls above an operation's rate are throttled", { timeout: TIMEOUT_MS }, async () => {
  const rates = Object.fromEntries(OPERATIONS.map((name) => [name, { perSecond: 0.001, burst: 1 }]));
  const world = await useSmallWorld({ CATNAP_QUOTAS: JSON.stringify({ rates }) });
  for (const fault of ["Throttling", "TooManyRequests"]) {
    for (const operation of listed(fault)) {
      const input = inputOf(operation, "good", world);
      await world.call(operation, input);
      const answer = await world.call(operation, input);
      expectFault(operation, fault, answer);
    }
  }
});

test("quotas are answered with what is exceeded", { timeout: TIMEOUT_MS }, async () => {
  const quotas = { images: 1, versionsPerImage: 1, memoryGB: 2, networkConnectors: 0 };
  const world = await useSmallWorld({ CATNAP_QUOTAS: JSON.stringify(quotas) });
  for (const fault of ["ServiceQuotaExceeded", "NetworkConnectorLimitExceeded"])
    for (const operation of listed(fault))
      expectFault(operation, fault, await world.call(operation, inputOf(operation, "good", world)));
});

test("a token that comes again with other parameters is a conflict", { timeout: TIMEOUT_MS }, async () => {
  const world = await useSmallWorld();
  await makeConnector(world);
  const settings = connectorSettings(world);
  const again: Readonly<Record<string, readonly [first: object, change: object]>> = {
    CreateMicrovmImage: [{ ...world.imageSettings, name: "b", clientToken: "t" }, { description: "other" }],
    UpdateMicrovmImage: [
      { ...world.imageSettings, imageIdentifier: world.imageArn, clientToken: "t" },
      { description: "other" },
    ],
    RunMicrovm: [
      { imageIdentifier: world.imageArn, imageVersion: "1.0", clientToken: "t" },
      { maximumDurationInSeconds: 60 },
    ],
    CreateNetworkConnector: [{ ...settings, Name: "b", ClientToken: "t" }, { Tags: { a: "1" } }],
    UpdateNetworkConnector: [
      { ...settings, Identifier: "vpc", ClientToken: "t" },
      connectorSettings(world, "subnet-0b2"),
    ],
  };
  for (const operation of CONFLICTS.ofTokens) {
    const [input, change] = again[operation] ?? [{}, {}];
    const first = await world.call(operation, { ...input });
    expect([operation, first.status < 300, first.body]).toEqual([operation, true, first.body]);
    expect(await world.call(operation, { ...input })).toEqual(first);
    const fault = operation.endsWith("Connector") ? "ResourceConflict" : "Conflict";
    expectFault(operation, fault, await world.call(operation, { ...input, ...change }));
  }
});

test("what the state does not allow is a conflict", { timeout: TIMEOUT_MS }, async () => {
  const world = await useSmallWorld();
  const { imageArn, microvmId, plane } = world;
  expectFault("DeleteMicrovmImage", "Conflict", await world.call("DeleteMicrovmImage", { imageIdentifier: imageArn }));
  await world.made("TerminateMicrovm", { microvmIdentifier: microvmId });
  await world.becomes(microvmId, "TERMINATED");
  await plane.store.db.updateTable("images").set({ state: "UPDATING" }).execute(); // as while a build runs
  for (const operation of CONFLICTS.ofStates.slice(1))
    expectFault(operation, "Conflict", await world.call(operation, inputOf(operation, "good", world)));
});

test(
  "a server that cannot reach its state says so, and how it failed only in the log",
  { timeout: TIMEOUT_MS },
  async () => {
    const world = await useSmallWorld();
    await world.plane.store.close();
    for (const fault of ["InternalServer", "Service"])
      for (const operation of listed(fault)) {
        const kind = FAULT_INPUTS[operation]?.missing === undefined ? "good" : "missing";
        const answer = await world.call(operation, inputOf(operation, kind, world));
        expectFault(operation, fault, answer);
        expect(answer.body).not.toMatch(/database|sqlite|store/i);
      }
  },
);
