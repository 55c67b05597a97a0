import { lstat, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { findTrust, hideTrustSteps, removeTrustTraces, withTrustVariables } from "./build-trust.ts";

async function useTree() {
  const folder = await mkdtemp(join(tmpdir(), "catnap-trust-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const tree = join(folder, "tree");
  await mkdir(tree);
  return { folder, tree };
}

test("every stage gets the variables right after its FROM, continuation lines included", () => {
  const lines = withTrustVariables("# escape=\\\nFROM \\\n  a AS one\nRUN x\nfrom one\nRUN y\n").split("\n");
  expect(lines.map((line) => line.split(" ")[0])).toEqual(["#", "FROM", "", "ARG", "RUN", "from", "ARG", "RUN", ""]);
  expect(lines[3]).toContain("SSL_CERT_FILE=/run/catnap/ca-bundle.pem");
});

test("none means none, a path is covered at the usual places too", async () => {
  expect(await findTrust("none")).toBeUndefined();
  expect(await findTrust("/a.pem")).toMatchObject({
    bundle: "/a.pem",
    places: expect.arrayContaining(["/etc/ssl/certs/ca-certificates.crt"]),
  });
});

test("empty mount points go with the folders made for them, an image's own bundle stays", async () => {
  const { tree } = await useTree();
  await mkdir(join(tree, "run/catnap"), { recursive: true });
  await writeFile(join(tree, "run/catnap/ca-bundle.pem"), "");
  await mkdir(join(tree, "etc/pki/tls/certs"), { recursive: true });
  await writeFile(join(tree, "etc/pki/tls/certs/ca-bundle.crt"), "");
  await mkdir(join(tree, "etc/ssl/certs"), { recursive: true });
  await writeFile(join(tree, "etc/ssl/certs/ca-certificates.crt"), "the image's own");
  await removeTrustTraces(tree);
  expect(await readdir(join(tree, "run"))).toEqual([]);
  expect(await readdir(join(tree, "etc"))).toEqual(["ssl"]);
  expect((await lstat(join(tree, "etc/ssl/certs/ca-certificates.crt"))).size).toBeGreaterThan(0);
});

test("an image whose folders are links out of it costs the host nothing", async () => {
  const { folder, tree } = await useTree();
  await mkdir(join(folder, "host/catnap"), { recursive: true });
  await writeFile(join(folder, "host/catnap/ca-bundle.pem"), "");
  await symlink(join(folder, "host"), join(tree, "run"));
  await removeTrustTraces(tree);
  expect(await readdir(join(folder, "host/catnap"))).toEqual(["ca-bundle.pem"]);
});

test("steps are counted as in the Dockerfile that was handed in", () => {
  const seen = ["STEP 1/3: FROM a", "STEP 2/3: ARG SSL", "--> 12", "[2/2] STEP 3/3: RUN b", "said STEP 2/3: no"].map(
    hideTrustSteps,
  );
  expect(seen).toEqual(["STEP 1/2: FROM a", undefined, "--> 12", "[2/2] STEP 2/2: RUN b", "said STEP 2/3: no"]);
});
