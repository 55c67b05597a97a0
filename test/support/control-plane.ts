import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { createRoleAuthorizer } from "../../src/auth/authorizer-roles.ts";
import { openJweEndpointTokens } from "../../src/auth/jwe-endpoint-tokens.ts";
import { BuildLog } from "../../src/build/build-log.ts";
import { fetchArtifact } from "../../src/build/fetch-artifact.ts";
import { loadConfig } from "../../src/config/load-config.ts";
import { homePaths, type HomePaths } from "../../src/config/paths.ts";
import { BuildQueue } from "../../src/images/build-queue.ts";
import { createEgressResolver } from "../../src/lifecycle/connector-egress.ts";
import { MicrovmSupervisor } from "../../src/lifecycle/microvm-supervisor.ts";
import { openAccess } from "../../src/main/access.ts";
import type { MicrovmState } from "../../src/model/states.ts";
import { openArtifactObjects } from "../../src/main/artifact-objects.ts";
import { openLogStore } from "../../src/logs/log-store.ts";
import { createApi } from "../../src/main/doors.ts";
import type { House } from "../../src/main/house.ts";
import { openMetering } from "../../src/main/metering.ts";
import { createLog } from "../../src/observability/log.ts";
import { microvmStore } from "../../src/store/microvm-store.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import type { Store } from "../../src/store/store.ts";
import { Cleanup } from "../../src/util/cleanup.ts";
import { gated, type Gate } from "./gated.ts";
import { MemoryHost } from "./memory-host.ts";
import { plainTemplates } from "./plain-templates.ts";
import { ScriptedBuilder } from "./scripted-builder.ts";

const DOZE_MS = 600_000;
const HOST_ID = "host";

export interface ControlPlaneOptions {
  readonly home: string;
  /** The host that microVMs of an earlier server run on. */
  readonly host?: MemoryHost;
  /** Variables of the configuration. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** The server's own wiring of API, store, accounts and lifecycle, over a host in memory; all of it in this process. */
export interface ControlPlane {
  readonly url: string;
  readonly port: number;
  readonly key: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly paths: HomePaths;
  readonly store: Store;
  /** As the server knows it: the row of a change that the disk is still asked for is ahead of it. */
  stateOf(microvmId: string): Promise<MicrovmState | undefined>;
  /** No build and no removal is under way. */
  idle(): Promise<void>;
  /** As a killed server leaves things: no microVM is parked. */
  stop(): Promise<void>;
}

export async function openControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const { home, host = new MemoryHost(), environment = {} } = options;
  const config = loadConfig({ CATNAP_HOME: home, CATNAP_API_PORT: "0", ...environment });
  const paths = homePaths(home);
  await mkdir(home, { recursive: true });
  const descriptor = openSync(paths.log, "a", 0o600);
  const cleanup = new Cleanup();
  cleanup.add(async () => closeSync(descriptor));
  const store = openSqliteStore(paths.database);
  cleanup.add(() => store.close());
  const logs = openLogStore(paths.logDatabase);
  cleanup.add(() => logs.close());
  const house: House = { config, paths, log: createLog(config.logLevel, descriptor), store, logs, cleanup };
  const access = await openAccess(house);
  let isStopped = false;
  const machines = await openMachines(house, host, () => (isStopped ? new Promise(() => {}) : Promise.resolve()));
  cleanup.add(() => machines.builds.stop());
  await machines.supervisor.recover();
  const tokens = await openJweEndpointTokens(join(paths.certificates, "endpoint-keys.json"));
  const api = await createApi(house, machines, { access, tokens });
  await machines.builds.recover();
  api.listen(0, "127.0.0.1");
  await once(api, "listening");
  cleanup.add(async () => {
    const closed = once(api, "close");
    api.close();
    api.closeAllConnections();
    await closed;
  });
  const { port } = api.address() as AddressInfo;
  const { accessKeyId, secretAccessKey } = access.bootstrapKey;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    key: { accessKeyId, secretAccessKey },
    paths,
    store,
    stateOf: async (microvmId) => (await machines.supervisor.get(microvmId))?.state,
    idle: () => machines.builds.idle(),
    stop: async () => {
      isStopped = true; // what was under way reaches the host no more, as if its process were gone
      const [error] = await cleanup.run();
      if (error !== undefined) throw error;
    },
  };
}

async function openMachines(house: House, { engine, slots, link }: MemoryHost, gate: Gate) {
  const { config, paths, store, log } = house;
  const egressOf = createEgressResolver({ store, subnets: config.subnets });
  const metering = openMetering(house, engine);
  const supervisor = new MicrovmSupervisor({
    engine: gated(engine, gate),
    templates: plainTemplates(store),
    slots: gated(slots, gate),
    openLink: () => gated(link, gate),
    egressOf,
    store: microvmStore(store),
    meter: metering.meter,
    log,
    microvmsDirectory: paths.microvms,
    dozeMs: DOZE_MS,
    hostId: HOST_ID,
    endpointSuffix: (region) => `.lambda-microvm.${region}.${config.domain}`,
  });
  const { architecture } = engine.capabilities;
  const builder = await openBuilder(house);
  const builds = new BuildQueue({ store, builder, paths, hostId: HOST_ID, architecture, egressOf, log });
  return { supervisor, builds, metering };
}

/** Reads the artifact with the build role, as a real build begins; what follows is made up. */
async function openBuilder(house: House): Promise<ScriptedBuilder> {
  const builder = new ScriptedBuilder(house.paths.rootfs);
  const objects = await openArtifactObjects(house);
  const authorizer = createRoleAuthorizer(house);
  builder.next = async (request, signal) => {
    const log = new BuildLog(join(request.directory, "build.log"));
    const into = join(request.directory, "artifact.zip");
    await fetchArtifact({ objects, authorizer, log, signal }, request, into).finally(() => log.close());
    await rm(into);
  };
  return builder;
}
