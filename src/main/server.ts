import type { Config } from "../config/options.ts";
import { homePaths } from "../config/paths.ts";
import type { ServerInfo } from "../model/server-info.ts";
import { openLogStore } from "../logs/log-store.ts";
import type { Log } from "../observability/log.ts";
import { openSqliteStore } from "../store/sqlite/sqlite-store.ts";
import { Cleanup } from "../util/cleanup.ts";
import { openAccess } from "./access.ts";
import { writeFileDurably } from "../util/write-file-durably.ts";
import { openApi, openEndpoints } from "./doors.ts";
import { lockHome } from "./home-lock.ts";
import type { House } from "./house.ts";
import { readLastPorts } from "./last-ports.ts";
import { openMachines } from "./machines.ts";

export interface RunningServer {
  /** Puts running microVMs to sleep, then ends everything this server started. */
  stop(): Promise<void>;
}

/** Puts the house together, bottom to top, and opens the doors last. */
export async function startServer(config: Config, log: Log): Promise<RunningServer> {
  const paths = homePaths(config.home);
  const cleanup = new Cleanup();
  try {
    cleanup.add(await lockHome(paths));
    const store = openSqliteStore(paths.database);
    cleanup.add(() => store.close());
    const logs = openLogStore(paths.logDatabase);
    cleanup.add(() => logs.close());
    return await open({ config, paths, log, store, logs, cleanup });
  } catch (cause) {
    await cleanup.run();
    throw cause;
  }
}

async function open(house: House): Promise<RunningServer> {
  const { paths, log, cleanup } = house;
  const lastPorts = await readLastPorts(paths.serverInfo);
  let endpointPort = 0;
  const access = await openAccess(house);
  const machines = await openMachines(house, { access, endpointPort: () => endpointPort });
  const endpoints = await openEndpoints(house, machines, lastPorts);
  endpointPort = endpoints.port;
  const api = await openApi(house, machines, { access, tokens: endpoints.tokens, lastPorts });
  await machines.builds.recover();
  const engine = machines.engine.capabilities;
  const uses = await machines.templates.sweep();
  const former = [...uses].filter(([fingerprint]) => fingerprint !== engine.fingerprint);
  const onFormerEngines = former.reduce((sum, [, { microvms }]) => sum + microvms, 0);
  const renewing = await machines.templates.start();
  const { region, accountId, domain, bind } = house.config;
  const info: ServerInfo = {
    pid: process.pid,
    apiUrl: `http://${bind}:${api.port}`,
    endpointPort,
    region,
    accountId,
    domain,
    caBundle: endpoints.caBundle,
    credentials: access.bootstrapKey.file,
    acceleration: engine.acceleration,
    renewing,
    onFormerEngines,
  };
  // In one piece: the command that started this server is reading it.
  await writeFileDurably(paths.serverInfo, `${JSON.stringify(info, null, 2)}\n`, 0o600);
  log.info({ ...info }, "Catnap is up");
  return {
    async stop() {
      log.info("going down");
      await machines.builds.stop();
      await machines.templates.stop();
      await machines.supervisor.goDown();
      await machines.templates.sweep().catch((err: unknown) => log.warn({ err }, "old templates could not be removed"));
      for (const error of await cleanup.run()) log.warn({ err: error }, "a part did not end cleanly");
      log.info("Catnap is down");
    },
  };
}
