import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import {
  CONTEXT,
  createInput,
  imageArnOf,
  READABLE_TOKENS,
  rowMicrovms,
  SILENT_LOG,
} from "../../../test/fixtures/use-lambda-microvms.ts";
import { ScriptedBuilder } from "../../../test/support/scripted-builder.ts";
import { homePaths } from "../../config/paths.ts";
import { BuildQueue } from "../../images/build-queue.ts";
import { createEgressResolver } from "../../lifecycle/connector-egress.ts";
import { openSqliteStore } from "../../store/sqlite/sqlite-store.ts";
import { createLambdaMicrovmsService } from "./lambda-microvms-service.ts";

/** A service on the home's files; what it holds in memory is gone when it is opened again. */
async function useHome() {
  const home = await mkdtemp(join(tmpdir(), "catnap-restart-"));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  const paths = homePaths(home);
  const builder = new ScriptedBuilder(paths.rootfs);
  const open = () => {
    const store = openSqliteStore(paths.database);
    const builds = new BuildQueue({
      store,
      builder,
      paths,
      hostId: "host",
      architecture: "X86_64",
      egressOf: createEgressResolver({ store, subnets: {} }),
      log: SILENT_LOG,
    });
    const service = createLambdaMicrovmsService({
      store,
      microvms: rowMicrovms(store),
      tokens: READABLE_TOKENS,
      builds,
    });
    return {
      builds,
      // oxlint-disable-next-line typescript/no-explicit-any -- tests read members of many output types
      call: async (name: string, input: object): Promise<any> => service.operations[name]?.(input, CONTEXT),
      async close() {
        await builds.idle();
        await builds.stop();
        await store.close();
      },
    };
  };
  return { open, builder };
}

test("a token means the same after a restart: the first answer, or a conflict, and never a second build", async () => {
  const { open, builder } = await useHome();
  const create = createInput("app", { clientToken: "create" });
  const { name: _, ...settings } = create;
  const update = { ...settings, imageIdentifier: imageArnOf("app"), clientToken: "update" };
  const before = open();
  const created = await before.call("CreateMicrovmImage", create);
  await before.builds.idle();
  const updated = await before.call("UpdateMicrovmImage", update);
  await before.close();
  const after = open();
  onTestFinished(() => after.close());
  expect(await after.call("CreateMicrovmImage", create)).toEqual(created);
  expect(await after.call("UpdateMicrovmImage", update)).toEqual(updated);
  for (const [operation, input] of [
    ["CreateMicrovmImage", { ...create, description: "another" }],
    ["UpdateMicrovmImage", { ...update, description: "another" }],
  ] as const)
    await expect(after.call(operation, input)).rejects.toMatchObject({
      shape: "ConflictException",
      message: expect.stringContaining("used before with different parameters"),
    });
  expect(builder.requests).toHaveLength(2);
});
