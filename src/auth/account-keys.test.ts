import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openAccountKeys } from "./account-keys.ts";

const ROOT_KEY = { accessKeyId: "AKIAROOTROOTROOTROOT", secretAccessKey: "the root's own secret" };
const ALICE_KEY = { accessKeyId: "AKIAALICEALICEALICE2", secretAccessKey: "alice's own secret" };
const POLICY = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: "s3:*", Resource: "*" }] };
const FILE = {
  accounts: [
    {
      accountId: "222222222222",
      users: [
        { name: "root", keys: [ROOT_KEY] },
        { name: "alice", keys: [ALICE_KEY], policies: { Storage: POLICY } },
      ],
    },
  ],
};

async function useFile(content: unknown, mode = 0o600): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "catnap-accounts-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "accounts.json");
  await writeFile(file, typeof content === "string" ? content : JSON.stringify(content), { mode });
  return file;
}

test("the root of a listed account may do everything in it, a user what their policies say", async () => {
  const keys = await openAccountKeys(await useFile(FILE));
  expect(await keys.lookup(ROOT_KEY.accessKeyId)).toEqual({
    secretAccessKey: ROOT_KEY.secretAccessKey,
    principal: {
      arn: "arn:aws:iam::222222222222:root",
      accountId: "222222222222",
      accessKeyId: ROOT_KEY.accessKeyId,
      isAdministrator: true,
    },
  });
  expect(await keys.lookup(ALICE_KEY.accessKeyId)).toMatchObject({
    principal: {
      arn: "arn:aws:iam::222222222222:user/alice",
      isAdministrator: false,
      identity: {
        kind: "user",
        name: "alice",
        userId: expect.stringMatching(/^AIDA[A-Z0-9]{17}$/),
        policies: [{ name: 'policy "Storage" of user alice' }],
      },
    },
  });
  expect(await keys.lookup("AKIANOBODYNOBODYNOBO")).toBeUndefined();
});

test("without a file there are no further keys", async () => {
  expect(await (await openAccountKeys("")).lookup(ROOT_KEY.accessKeyId)).toBeUndefined();
});

const user = (change: object) => ({
  accounts: [{ accountId: "222222222222", users: [{ name: "alice", keys: [ALICE_KEY], ...change }] }],
});

test.each<[string, unknown, RegExp]>([
  ["text that is no JSON", `{"secretAccessKey": "hidden`, /it is not JSON$/],
  ["an unknown member", { ...FILE, acounts: [] }, /acounts/],
  ["a wrong account id", { accounts: [{ accountId: "1", users: [] }] }, /accountId/],
  ["a temporary access key", user({ keys: [{ ...ALICE_KEY, accessKeyId: "ASIAALICEALICEALICE2" }] }), /accessKeyId/],
  ["a key listed twice", user({ keys: [ALICE_KEY, ALICE_KEY] }), /AKIAALICEALICEALICE2 is listed twice/],
  ["a malformed policy", user({ policies: { Bad: { Statement: [] } } }), /policy "Bad" of user alice: Syntax errors/],
  ["a root with policies", user({ name: "root", policies: { P: POLICY } }), /takes no policies/],
])("%s is refused, and no secret is told", async (_title, content, words) => {
  const file = await useFile(content);
  const refusal = await openAccountKeys(file).catch((error: unknown) => error);
  expect(refusal).toMatchObject({ code: "ERR_CONFIG_INVALID", message: expect.stringMatching(words) });
  expect(String(refusal)).toContain(file);
  expect(String(refusal)).not.toMatch(/hidden|alice's own secret/);
});

test("a file that others may read is refused with what to do", async () => {
  await expect(openAccountKeys(await useFile(FILE, 0o644))).rejects.toThrow(/run chmod 600/);
  await expect(openAccountKeys("/nonexistent/accounts.json")).rejects.toThrow(/cannot be read/);
});
