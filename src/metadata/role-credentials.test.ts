import { expect, onTestFinished, test } from "vitest";
import { createRoleSessions } from "../auth/role-sessions.ts";
import { newRoleId } from "../model/ids.ts";
import { deleteRoleRow, insertRole, updateRole } from "../store/iam-store.ts";
import { openSqliteStore } from "../store/sqlite/sqlite-store.ts";
import { BuildGuests } from "./build-guests.ts";
import { createGuestDirectory, type Guest } from "./guest-directory.ts";
import { createRoleCredentials } from "./role-credentials.ts";

const ACCOUNT = "123456789012";
const MINUTE = 60_000;
const ROLE_KEY = { accountId: ACCOUNT, name: "Exec" };
const GUEST: Guest = {
  microvmId: "microvm-1",
  accountId: ACCOUNT,
  region: "us-east-1",
  imageArn: `arn:aws:lambda:us-east-1:${ACCOUNT}:microvm-image:app`,
  executionRoleArn: `arn:aws:iam::${ACCOUNT}:role/Exec`,
};

function trust(service: string): string {
  const statement = { Effect: "Allow", Principal: { Service: service }, Action: "sts:AssumeRole" };
  return JSON.stringify({ Version: "2012-10-17", Statement: statement });
}

async function useCredentials() {
  const store = openSqliteStore(":memory:");
  onTestFinished(() => store.close());
  let clockMs = Date.parse("2026-11-20T12:00:00Z");
  const now = () => clockMs;
  const sessions = createRoleSessions({ store, now });
  const issued: string[] = [];
  const onIssued = ({ microvmId }: Guest) => void issued.push(microvmId);
  const open = () => createRoleCredentials({ store, sessions: createRoleSessions({ store, now }), now, onIssued });
  const makeRole = () =>
    insertRole(store.db, {
      account_id: ACCOUNT,
      name: "Exec",
      role_id: newRoleId(),
      arn: `arn:aws:iam::${ACCOUNT}:role/Exec`,
      path: "/",
      trust_policy: trust("lambda.amazonaws.com"),
      description: null,
      max_session_seconds: 3600,
      tags_json: "[]",
      created_at: 1,
    });
  await makeRole();
  const ask = open();
  const keyOf = async (guest: Guest = GUEST, asking = ask) => {
    const found = await asking(guest);
    return "refused" in found ? found.refused : found.accessKeyId;
  };
  return { store, sessions, open, ask, keyOf, issued, makeRole, advance: (ms: number) => (clockMs += ms) };
}

test("credentials last 55 minutes and are the same for all who ask, also after a restart", async () => {
  const { ask, open, keyOf, issued, sessions } = await useCredentials();
  const all = await Promise.all([1, 2, 3].map(() => keyOf()));
  expect(new Set(all).size).toBe(1);
  expect(await keyOf(GUEST, open())).toBe(all[0]);
  expect(issued).toEqual(["microvm-1"]);
  const session = await ask(GUEST);
  if ("refused" in session) throw new Error(session.refused);
  expect(session.expiresAt.getTime() - session.issuedAt.getTime()).toBe(55 * MINUTE);
  expect(await sessions.lookup(session.accessKeyId)).toMatchObject({
    sessionToken: session.sessionToken,
    principal: { arn: `arn:aws:sts::${ACCOUNT}:assumed-role/Exec/microvm-1`, isAdministrator: false },
  });
});

test("new ones are there before SDKs ask for them, a quarter of an hour before the end", async () => {
  const { keyOf, advance } = await useCredentials();
  const first = await keyOf();
  advance(34 * MINUTE);
  expect(await keyOf()).toBe(first);
  advance(5 * MINUTE);
  const second = await keyOf();
  expect(second).not.toBe(first);
  advance(70 * MINUTE);
  expect(await keyOf()).not.toBe(second);
});

test("a machine of a build has its role until it ends, for so long that SDKs in its snapshot soon ask again", async () => {
  const { ask, keyOf, advance } = await useCredentials();
  const builders = new BuildGuests();
  const roleArn = GUEST.executionRoleArn ?? "";
  const build = { accountId: ACCOUNT, region: "us-east-1", imageArn: GUEST.imageArn, buildRoleArn: roleArn };
  const dismiss = builders.admit(7, { ...build, buildId: "build-1" });
  const guest = builders.find(7);
  if (guest === undefined) throw new Error("not admitted");
  const session = await ask(guest);
  if ("refused" in session) throw new Error(session.refused);
  expect(session.arn).toBe(`arn:aws:sts::${ACCOUNT}:assumed-role/Exec/build-1`);
  expect(session.expiresAt.getTime() - session.issuedAt.getTime()).toBe(6 * MINUTE);
  expect(await keyOf(guest)).toBe(session.accessKeyId);
  advance(MINUTE);
  expect(await keyOf(guest)).not.toBe(session.accessKeyId);
  dismiss();
  expect(builders.find(7)).toBeUndefined();
  builders.admit(7, { ...build, buildId: "build-2" });
  dismiss(); // once more does no harm to who has the slot now
  expect(builders.find(7)).toMatchObject({ microvmId: "build-2" });
});

test("each microVM has credentials of its own", async () => {
  const { keyOf } = await useCredentials();
  expect(await keyOf({ ...GUEST, microvmId: "microvm-2" })).not.toBe(await keyOf());
});

test("a role that is gone, made again, of another account or closed to the service gives none of the old", async () => {
  const { store, keyOf, makeRole } = await useCredentials();
  const first = await keyOf();
  expect(await keyOf({ ...GUEST, accountId: "999999999999" })).toMatch(/does not exist/);
  await updateRole(store.db, ROLE_KEY, { trust_policy: trust("ec2.amazonaws.com") });
  expect(await keyOf()).toMatch(/may not assume the role .*Exec: no statement of its trust policy allows/);
  await deleteRoleRow(store.db, ROLE_KEY);
  expect(await keyOf()).toMatch(/does not exist/);
  await makeRole();
  expect(await keyOf()).toMatch(/^ASIA/);
  expect(await keyOf()).not.toBe(first);
});

test("a slot belongs to the microVM whose process lives, and to nobody when none does", async () => {
  const { store } = await useCredentials();
  const alive = new Set<number>();
  const guests = createGuestDirectory({ store, hostId: "host", isAlive: async ({ pid }) => alive.has(pid) });
  const insert = (id: string, slot: number, pid: number, more: object = {}) =>
    store.db
      .insertInto("microvms")
      .values({
        id,
        account_id: ACCOUNT,
        region: "us-east-1",
        host_id: "host",
        image_arn: GUEST.imageArn,
        image_version: "1.0",
        build_id: "b",
        state: "RUNNING",
        state_reason: null,
        endpoint_label: id,
        endpoint: id,
        request_json: JSON.stringify({ executionRoleArn: GUEST.executionRoleArn }),
        machine_json: JSON.stringify({ slot, handle: { pid, startTicks: "1", directory: "/" } }),
        last_activity_at: 0,
        suspended_at: null,
        started_at: 0,
        terminated_at: null,
        ...more,
      })
      .execute();
  await insert("left-behind", 3, 10);
  await insert("microvm-1", 3, 11);
  await insert("elsewhere", 3, 12, { host_id: "other" });
  await insert("ended", 4, 13, { state: "TERMINATED" });
  for (const pid of [11, 12, 13]) alive.add(pid);
  expect(await guests.find(3)).toEqual(GUEST);
  expect(await guests.find(4)).toBeUndefined();
  expect(await guests.find(5)).toBeUndefined();
  alive.delete(11);
  expect(await guests.find(3)).toBeUndefined();
});
