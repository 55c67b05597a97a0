import { expect, test } from "vitest";
import { connectorSettings, makeConnector, useSmallWorld, type Input, type SmallWorld } from "./small-world.ts";

interface List {
  readonly operation: string;
  readonly input: (world: SmallWorld) => Input;
  readonly items: string;
  readonly size: string;
  readonly token: string;
  /** Name of the answer's token where it is another than the request's. */
  readonly next?: string;
  readonly count: number;
}

const MICROVMS = { items: "items", size: "maxResults", token: "nextToken" };
const ofImage = ({ imageArn }: SmallWorld) => ({ imageIdentifier: imageArn });

const LISTS: readonly List[] = [
  { operation: "ListMicrovmImages", input: () => ({}), count: 3, ...MICROVMS },
  { operation: "ListMicrovmImageVersions", input: ofImage, count: 3, ...MICROVMS },
  {
    operation: "ListMicrovmImageBuilds",
    input: (world) => ({ ...ofImage(world), imageVersion: "2.0" }),
    count: 1,
    ...MICROVMS,
  },
  { operation: "ListMicrovms", input: () => ({}), count: 3, ...MICROVMS },
  { operation: "ListManagedMicrovmImages", input: () => ({}), count: 1, ...MICROVMS },
  {
    operation: "ListManagedMicrovmImageVersions",
    input: ({ imageSettings }) => ({ imageIdentifier: imageSettings.baseImageArn }),
    count: 2,
    ...MICROVMS,
  },
  {
    operation: "ListNetworkConnectors",
    input: () => ({}),
    count: 3,
    items: "NetworkConnectors",
    size: "MaxItems",
    token: "Marker",
    next: "NextMarker",
  },
];

/** Several of everything that is listed. */
async function useManyThings(): Promise<SmallWorld> {
  const world = await useSmallWorld();
  await makeConnector(world);
  for (const name of ["b", "c"]) {
    await world.made("CreateMicrovmImage", { name, ...world.imageSettings });
    await world.made("CreateNetworkConnector", { Name: name, ...connectorSettings(world) });
    const { microvmId = "" } = await world.made("RunMicrovm", { imageIdentifier: world.imageArn });
    await world.becomes(microvmId, "RUNNING"); // or its state would differ from one listing to the next
    await world.plane.idle();
    await world.made("UpdateMicrovmImage", { imageIdentifier: world.imageArn, ...world.imageSettings });
    await world.plane.idle();
  }
  return world;
}

test("every list pages through the same things, whatever the size of its pages", { timeout: 60_000 }, async () => {
  const world = await useManyThings();
  for (const { operation, input, items, size, token, next = token, count } of LISTS) {
    const page = async (change: Input): Promise<{ found: unknown[]; after?: unknown }> => {
      const answer: Readonly<Record<string, unknown>> = await world.made(operation, { ...input(world), ...change });
      return { found: answer[items] as unknown[], after: answer[next] };
    };
    const whole = await page({});
    expect([operation, whole.found.length, whole.after]).toEqual([operation, count, undefined]);
    for (const pageSize of [1, 2, 50]) {
      const found: unknown[] = [];
      let after: unknown;
      do {
        const one = await page({ [size]: pageSize, [token]: after });
        expect(one.found.length).toBeLessThanOrEqual(pageSize);
        found.push(...one.found);
        after = one.after;
      } while (after !== undefined);
      expect([operation, pageSize, found]).toEqual([operation, pageSize, whole.found]);
    }
  }
});

test("a token that no list gave out, or another one, is refused by every list", { timeout: 60_000 }, async () => {
  const world = await useManyThings();
  const { nextToken: foreign } = await world.made("ListMicrovms", { maxResults: 1 });
  expect(foreign).toMatch(/^[A-Za-z0-9_-]+$/);
  for (const { operation, input, token } of LISTS) {
    for (const given of ["nonsense", "", "a=b", operation === "ListMicrovms" ? "e30" : foreign]) {
      const { status, errorType } = await world.call(operation, { ...input(world), [token]: given });
      const fault = operation === "ListNetworkConnectors" ? "InvalidParameterValueException" : "ValidationException";
      expect([operation, given, status, errorType]).toEqual([operation, given, 400, fault]);
    }
  }
});

test("a filter is applied to the page, which may then be empty and have a next one", { timeout: 60_000 }, async () => {
  const world = await useManyThings();
  const answer = await world.made("ListMicrovmImages", { nameFilter: "c", maxResults: 1 });
  expect(answer).toMatchObject({ items: [], nextToken: expect.any(String) });
  const inWhole = await world.made("ListMicrovmImages", { nameFilter: "c" });
  expect(inWhole).toMatchObject({ items: [{ name: "c" }] });
});
