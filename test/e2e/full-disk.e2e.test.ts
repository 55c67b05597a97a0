import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { processesWorkingIn } from "../../src/engine/qemu/process-identity.ts";
import { newCatnapServer, type CatnapServer } from "../support/catnap-server.ts";
import { eventually } from "../support/eventually.ts";
import { useHostileApp } from "../support/hostile-app.ts";
import { useSmallDisk } from "../support/small-disk.ts";

const DISK_MIB = 800;
const RESERVE_MIB = 100;
const LIMIT_MS = 120_000;

const t0 = performance.now();
const say = (...a: unknown[]) => console.log(((performance.now() - t0) / 1000).toFixed(1), ...a);

async function serverLog({ home }: CatnapServer): Promise<string> {
  return readFile(join(home, "catnap.log"), "utf8");
}

const pidOf = ({ home }: CatnapServer) => readFile(join(home, "catnap.pid"), "utf8");

test("a disk that fills up costs nobody a microVM: what is new is refused in time, and all goes on once there is room", async () => {
  const disk = await useSmallDisk(DISK_MIB);
  const server = await newCatnapServer({
    CATNAP_HOME: join(disk.directory, "home"),
    CATNAP_DISK_RESERVE_MIB: String(RESERVE_MIB),
  });
  onTestFinished(() => server.dispose());
  onTestFinished(() => disk.release());
  await server.start();
  const app = await useHostileApp(server);
  const image = await app.build("app");
  say(image, await disk.freeMiB());
  const pid = await pidOf(server);
  const [sleeper, runner, writer] = [await app.run(image.arn), await app.run(image.arn), await app.run(image.arn)];
  expect(await sleeper.ask("/count")).toBe("1");
  await sleeper.suspend();
  await sleeper.becomes("SUSPENDED");

  // below the reserve
  await disk.leave(RESERVE_MIB / 2);
  const known = await readdir(join(server.home, "microvms"));
  await expect(app.begin(image.arn)).rejects.toMatchObject({
    name: "InsufficientCapacityException",
    message: expect.stringMatching(/^The disk of this host is full: \d+ MiB are free, and 100 MiB are kept free/),
  });
  expect(await readdir(join(server.home, "microvms"))).toEqual(known);
  const refused = await app.build("refused");
  expect(refused).toMatchObject({
    state: "CREATE_FAILED",
    reason: expect.stringMatching(/^DISK_STORAGE_FULL: The disk of this host is full: .*Make room/),
  });
  expect(await readdir(join(server.home, "images", refused.buildId))).toEqual(["build.log"]);
  await sleeper.endDoze();
  expect(await sleeper.ask("/count")).toBe("2");
  await sleeper.suspend();
  await sleeper.becomes("SUSPENDED");
  say("nothing left");

  // nothing left
  await disk.leave(0);
  say(await disk.freeMiB());
  await runner.ask("/dirty?64");
  await runner.suspend();
  await eventually("a suspend has failed", LIMIT_MS, async () =>
    (await serverLog(server)).includes("suspend failed") ? { done: undefined } : { saw: (await runner.view()).state },
  ).catch(say);
  say("suspended", await runner.view());
  await runner.becomes("RUNNING");
  expect(await runner.ask("/count")).toBe("1");
  say((await readdir(runner.directory)));
  say(await sleeper.ask("/count").catch(String), await sleeper.view());
  const written = writer.ask("/write?8");
  written.catch(() => {});
  await new Promise((r) => setTimeout(r, 3000));
  say(await writer.view(), await runner.ask("/count"));
  await writer.suspend();
  say(await writer.view());
  await disk.release();
  say("written", await written.catch(String));
  await runner.suspend();
  await runner.becomes("SUSPENDED");
  await runner.endDoze();
  say(await runner.ask("/count"), await sleeper.ask("/count"), await writer.ask("/count"));
  expect(await pidOf(server)).toBe(pid);
  say((await serverLog(server)).split("\n").filter((l) => /"level":[45]0/.test(l)).map((l) => l.slice(0, 300)).join("\n"));
});
