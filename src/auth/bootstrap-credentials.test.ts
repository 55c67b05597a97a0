import { readFile, stat, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { useDirectory } from "../../test/support/api-endpoint.ts";
import { openBootstrapCredentials } from "./bootstrap-credentials.ts";

const ACCOUNT = "123456789012";

test("a key is made once, kept for its owner only, and found again", async () => {
  const home = await useDirectory();
  const { key, store } = await openBootstrapCredentials(home, ACCOUNT);
  expect(key.accessKeyId).toMatch(/^AKIA[A-Z2-7]{16}$/);
  expect((await stat(key.file)).mode & 0o777).toBe(0o600);
  expect((await openBootstrapCredentials(home, ACCOUNT)).key).toEqual(key);
  expect(await store.lookup(key.accessKeyId)).toEqual({
    secretAccessKey: key.secretAccessKey,
    principal: {
      arn: `arn:aws:iam::${ACCOUNT}:root`,
      accountId: ACCOUNT,
      accessKeyId: key.accessKeyId,
      isAdministrator: true,
    },
  });
  expect(await store.lookup("AKIAOTHER")).toBeUndefined();
});

test("a damaged file is reported, never replaced", async () => {
  const home = await useDirectory();
  const { key } = await openBootstrapCredentials(home, ACCOUNT);
  for (const damage of ["", "{", "{}", '{"accessKeyId":"x","secretAccessKey":"y"}']) {
    await writeFile(key.file, damage);
    await expect(openBootstrapCredentials(home, ACCOUNT)).rejects.toMatchObject({ code: "ERR_CONFIG_INVALID" });
    expect(await readFile(key.file, "utf8")).toBe(damage);
  }
});
