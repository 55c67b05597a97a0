import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as microvmSchemas from "@aws-sdk/client-lambda-microvms";
import { expect, test } from "vitest";
import * as coreSchemas from "../../src/aws/lambda-core/schemas.ts";
import { operationNames } from "../../src/aws/operation-names.ts";
import { useLambdaCore } from "../fixtures/use-lambda-core.ts";
import { useLambdaMicrovms } from "../fixtures/use-lambda-microvms.ts";
import { useStore } from "../support/api-endpoint.ts";
import { PROJECT } from "../support/project.ts";

/** Operations of one table of the ledger with the state they are given. */
async function ledgerOf(service: string): Promise<[operation: string, state: string][]> {
  const text = await readFile(join(PROJECT, "docs/compatibility.md"), "utf8");
  const [, section = ""] = text.split(`## Operations of ${service}\n`);
  const table = section.split("\n## ")[0] ?? "";
  return [...table.matchAll(/^\| ([A-Z]\w+(?:, \w+)*) \| (.+) \|$/gm)]
    .filter(([, names]) => names !== "Operation")
    .flatMap(([, names = "", state = ""]) => names.split(", ").map((name): [string, string] => [name, state]));
}

const services = [
  { name: "lambda-microvms", schemas: microvmSchemas, served: async () => (await useLambdaMicrovms()).service },
  { name: "lambda-core", schemas: coreSchemas, served: async () => (await useLambdaCore(useStore())).service },
];

test.each(services)("the ledger lists every operation of $name exactly once", async ({ name, schemas }) => {
  const listed = (await ledgerOf(name)).map(([operation]) => operation);
  expect(listed.toSorted()).toEqual(operationNames(schemas).toSorted());
});

test.each(services)(
  "every operation of $name is the same, a deviation with its reason, or missing",
  async ({ name }) => {
    for (const [, state] of await ledgerOf(name)) expect(state).toMatch(/^(same$|deviation: \S|missing: \S)/);
  },
);

test.each(services)("what the ledger calls missing of $name is what has no handler", async ({ name, served }) => {
  const { operations } = await served();
  const missing = (await ledgerOf(name)).filter(([, state]) => state.startsWith("missing")).map(([each]) => each);
  const answered = (await ledgerOf(name)).map(([each]) => each).filter((each) => Object.hasOwn(operations, each));
  expect(Object.keys(operations).toSorted()).toEqual(answered.toSorted());
  expect(missing.filter((each) => Object.hasOwn(operations, each))).toEqual([]);
  expect(missing.length + answered.length).toBe((await ledgerOf(name)).length);
});
