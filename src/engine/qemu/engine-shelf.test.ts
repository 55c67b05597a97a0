import { appendFile, chmod, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { EngineShelf } from "./engine-shelf.ts";
import type { EngineDescription } from "./kept-engine.ts";

/** A host whose monitor is a script, which is enough of one to be kept and asked. */
async function useHost() {
  const home = await mkdtemp(join(tmpdir(), "catnap-shelf-"));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  const at = (name: string) => join(home, name);
  const program = at("qemu-system-test");
  await writeFile(program, "#!/bin/sh\necho tcg\n");
  await chmod(program, 0o755);
  for (const name of ["kernel", "initramfs"]) await writeFile(at(name), name);
  const description: EngineDescription = {
    acceleration: "tcg",
    version: "QEMU emulator version 7.2.22",
    program: "qemu-system-test",
    cloneArguments: ["-m", "{memoryMiB}"],
    firmwarePlaces: ["/usr/share/qemu"],
    formerFingerprint: "0123456789abcdef",
    snapshotFormat: 2,
    parts: ["qemu-system-test", "kernel", "initramfs"].map((name) => ({ name, from: at(name) })),
  };
  const open = (change: Partial<EngineDescription> = {}) =>
    EngineShelf.open(at("engines"), { ...description, ...change });
  return { at, open, program, kept: async () => (await readdir(at("engines"))).toSorted() };
}

test("an engine is kept once, runs from its copy and is found by its name of before too", async () => {
  const { at, open } = await useHost();
  const { current } = await open();
  const copied = await stat(current.program);
  expect(current.program).toBe(at(`engines/${current.fingerprint}/qemu-system-test`));
  const again = await open();
  expect(again.current.fingerprint).toBe(current.fingerprint);
  expect((await stat(again.current.program)).ino).toBe(copied.ino);
  expect(await again.find("0123456789abcdef")).toBe(again.current);
});

test.each(["qemu-system-test", "kernel", "initramfs"])(
  "a changed %s is another engine; the old one is kept",
  async (name) => {
    const { at, open } = await useHost();
    const old = (await open()).current;
    await appendFile(at(name), "# changed\n");
    const shelf = await open({ formerFingerprint: "fedcba9876543210" });
    expect(shelf.current.fingerprint).not.toBe(old.fingerprint);
    expect(await shelf.find(old.fingerprint)).toEqual(old);
    expect(await shelf.find("0123456789abcdef")).toEqual(old);
    expect(await shelf.find("aaaaaaaaaaaaaaaa")).toBeUndefined();
  },
);

test("a way of writing snapshots, or of starting clones, that is new is another engine", async () => {
  const { open } = await useHost();
  const names = [
    (await open()).current.fingerprint,
    (await open({ snapshotFormat: 3 })).current.fingerprint,
    (await open({ cloneArguments: ["-m", "{memoryMiB}", "-device", "new"] })).current.fingerprint,
  ];
  expect(new Set(names).size).toBe(3);
});

test("a copy that is damaged or does not run is not used; the present one is made again", async () => {
  const { at, open, program } = await useHost();
  const old = (await open()).current;
  await appendFile(program, "# changed\n");
  await writeFile(old.kernel, "kernal");
  expect(await (await open()).find(old.fingerprint)).toBeUndefined();
  const { current } = await open();
  await writeFile(current.kernel, ""); // as after a power failure
  await open();
  expect((await stat(current.kernel)).size).toBe("kernel".length);
  await writeFile(program, "#!/bin/sh\nexit 1\n");
  expect((await open()).current.program).toBe(at("qemu-system-test"));
});

test("an engine that was not there is found once it is back", async () => {
  const { at, open, program } = await useHost();
  const old = (await open()).current;
  await appendFile(program, "# changed\n");
  const shelf = await open();
  await rename(at(`engines/${old.fingerprint}`), at("elsewhere"));
  expect(await shelf.find(old.fingerprint)).toBeUndefined();
  await rename(at("elsewhere"), at(`engines/${old.fingerprint}`));
  expect(await shelf.find(old.fingerprint)).toEqual(old);
});

test("engines that nothing needs are removed, and what a crash left half made", async () => {
  const { at, open, program, kept } = await useHost();
  const old = (await open()).current;
  await appendFile(program, "# changed\n");
  const shelf = await open({ formerFingerprint: undefined });
  await mkdir(at("engines/half.new"));
  await shelf.removeAllBut(new Set([old.formerFingerprint ?? ""]));
  expect(await kept()).toEqual([old.fingerprint, shelf.current.fingerprint].toSorted());
  await shelf.removeAllBut(new Set());
  expect(await kept()).toEqual([shelf.current.fingerprint]);
});
