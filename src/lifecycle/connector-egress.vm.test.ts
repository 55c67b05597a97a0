import { basename, join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { useOutsideWorld, WORLD } from "../../test/support/outside-world.ts";
import { plainTemplates } from "../../test/support/plain-templates.ts";
import { useTinyGuest } from "../../test/support/tiny-guest.ts";
import { bootTiny } from "../../test/support/tiny-template.ts";
import { insertBuiltImage, knock, reaches, runRequest } from "../../test/support/use-supervisor.ts";
import type { GuestLink } from "../guest-link/guest-link.ts";
import { createGuestLink } from "../guest-link/tcp-guest-link.ts";
import { managedConnectorArn } from "../model/connectors.ts";
import { GUEST_NETWORK } from "../model/guest.ts";
import { deleteConnectorRow, insertConnector } from "../store/connector-store.ts";
import { microvmStore } from "../store/microvm-store.ts";
import { openSqliteStore } from "../store/sqlite/sqlite-store.ts";
import type { Store } from "../store/store.ts";
import { createEgressResolver } from "./connector-egress.ts";
import { MicrovmSupervisor } from "./microvm-supervisor.ts";
import { PreparedMachines } from "./prepared-machines.ts";

const CONNECTOR = "arn:aws:lambda:us-east-1:123456789012:network-connector:nc-1";
const NO_EGRESS = managedConnectorArn("us-east-1", "NO_EGRESS");

/** Real microVMs beside a network that stands for the world. */
async function useHouse() {
  const tiny = await useTinyGuest({ resolver: WORLD.resolver });
  await useOutsideWorld(`cnw-${basename(tiny.home).slice(-6).toLowerCase()}`);
  const store = openSqliteStore(":memory:");
  onTestFinished(() => store.close());
  const template = await bootTiny(tiny);
  await insertBuiltImage(store, { template, rootfs: tiny.rootfs, container: {} });
  await insertConnector(store.db, connectorRow());
  const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() } as never;
  const prepared = new PreparedMachines({
    engine: tiny.engine,
    slots: tiny.pool,
    openLink: createGuestLink,
    log,
    directory: join(tiny.home, "prepared"),
    perImage: 1,
    delayMs: 0,
  });
  onTestFinished(() => prepared.close());
  const supervisor = new MicrovmSupervisor({
    engine: tiny.engine,
    templates: plainTemplates(store),
    slots: tiny.pool,
    prepared,
    openLink: createGuestLink,
    egressOf: createEgressResolver({ store, subnets: { "subnet-a": ["100.99.7.0/24"] } }),
    store: microvmStore(store),
    log,
    microvmsDirectory: join(tiny.home, "microvms"),
    dozeMs: 0,
    hostId: "h",
    endpointSuffix: () => ".localhost",
  });
  await prepared.recover();
  await supervisor.recover();
  const run = async (egress: string) => {
    const view = await supervisor.run(runRequest({ idlePolicy: undefined, egressNetworkConnectors: [egress] }));
    onTestFinished(() => supervisor.terminate(view.microvmId));
    return reaches(supervisor, view, "RUNNING");
  };
  const reach = async (view: Parameters<typeof knock>[1]) => {
    const link = await knock(supervisor, view);
    if ("refused" in link) throw new Error(link.refused);
    return reachOf(link);
  };
  return { supervisor, store, prepared, run, reach };
}

/** Which of the world's services answer a program in the guest, by real packets. */
async function reachOf(link: GuestLink): Promise<string[]> {
  const { public: host, private: inner, port } = WORLD;
  const say = (words: string) => `echo ${words} | /bin/busybox timeout 3 /bin/busybox nc -w 2`;
  const checks = {
    public: `${say("x")} ${host} ${port}`,
    private: `${say("x")} ${inner} ${port}`,
    names: `/bin/busybox timeout 5 /bin/busybox nslookup some.example ${GUEST_NETWORK.dnsAddress}`,
  };
  const script = Object.entries(checks).map(
    ([name, command]) => `(${command}) 2>&1 | /bin/busybox grep -q 'world x\\|192.0.2.7' && echo ${name}`,
  );
  const session = await link.session({ argv: ["/bin/sh", "-c", `${script.join("\n")}\n:`] });
  if ("refused" in session) throw new Error(session.refused);
  session.end();
  let output = "";
  for await (const event of session as AsyncIterable<{ kind: string; bytes?: Buffer }>)
    if (event.kind === "output") output += event.bytes?.toString() ?? "";
  // the shell may also tell that it ended a check that took too long
  return output.split("\n").filter((line) => Object.hasOwn(checks, line));
}

function connectorRow() {
  return {
    id: "nc-1",
    arn: CONNECTOR,
    account_id: "123456789012",
    region: "us-east-1",
    name: "vpc",
    state: "ACTIVE" as const,
    state_reason: null,
    state_reason_code: null,
    configuration_json: '{"SubnetIds":["subnet-a"]}',
    operator_role: null,
    version: 1,
    update_status: null,
    update_reason: null,
    update_reason_code: null,
    tags_json: "{}",
    created_at: 1,
    modified_at: 1,
    deleted_at: null,
  };
}

async function deleteConnector(store: Store): Promise<void> {
  await deleteConnectorRow(store.db, "nc-1", Date.now());
}

test("connectors bind a microVM when it runs, after a sleep, and when they go", async () => {
  const { supervisor, store, run, reach } = await useHouse();
  const free = await run(managedConnectorArn("us-east-1", "INTERNET_EGRESS"));
  expect(await reach(free)).toEqual(["public", "names"]);

  // the second and third start from a machine prepared in an open slot
  const closed = await run(NO_EGRESS);
  expect(await reach(closed)).toEqual([]);
  const inside = await run(CONNECTOR);
  expect(await reach(inside)).toEqual(["private", "names"]);

  for (const view of [closed, inside]) {
    await supervisor.suspend(view.microvmId);
    await reaches(supervisor, view, "SUSPENDED");
    await supervisor.resume(view.microvmId);
    await reaches(supervisor, view, "RUNNING");
  }
  expect(await reach(closed)).toEqual([]);
  expect(await reach(inside)).toEqual(["private", "names"]);

  await deleteConnector(store);
  await supervisor.rebindEgress(CONNECTOR);
  expect(await reach(inside)).toEqual([]);
  expect(await reach(free)).toEqual(["public", "names"]);
});
