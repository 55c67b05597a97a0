import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { registriesWithDockerHub } from "./registries.ts";

async function useDirectory(main: string, part?: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "catnap-registries-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  await writeFile(join(directory, "registries.conf"), main);
  await mkdir(join(directory, "registries.conf.d"));
  if (part !== undefined) await writeFile(join(directory, "registries.conf.d/10.conf"), part);
  return directory;
}

test("short names mean Docker Hub, the host's other settings stay", async () => {
  expect(
    await registriesWithDockerHub(await useDirectory('# unqualified-search-registries = ["x"]\n[[registry]]\n')),
  ).toMatch(/^unqualified-search-registries = \["docker.io"\]\n[^]*\[\[registry\]\]/);
  expect(await registriesWithDockerHub("/nonexistent")).toContain("docker.io");
});

test("a host that says where to look is left alone", async () => {
  expect(await registriesWithDockerHub(await useDirectory('unqualified-search-registries = ["x"]'))).toBeUndefined();
  expect(
    await registriesWithDockerHub(await useDirectory("", 'unqualified-search-registries = ["x"]')),
  ).toBeUndefined();
});
