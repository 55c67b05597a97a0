import { hostname } from "node:os";
import { join } from "node:path";
import { readFile, rm, writeFile } from "node:fs/promises";
import type { Server } from "node:http";
import { openCertificateAuthority } from "../auth/certificate-authority.ts";
import { openJweEndpointTokens } from "../auth/jwe-endpoint-tokens.ts";
import { createRoleAuthorizer } from "../auth/authorizer-roles.ts";
import { createApiServer } from "../aws/api-server.ts";
import { createIamService } from "../aws/iam/iam-service.ts";
import { createLambdaMicrovmsService } from "../aws/lambda-microvms/lambda-microvms-service.ts";
import { createObjectReader } from "../aws/s3/object-reader.ts";
import { createS3Service, sweepObjectFiles } from "../aws/s3/s3-service.ts";
import { createStsService } from "../aws/sts/sts-service.ts";
import { createImageBuilder } from "../build/create-image-builder.ts";
import type { Config } from "../config/options.ts";
import { homePaths, type HomePaths } from "../config/paths.ts";
import { openQemuEngine } from "../engine/qemu/qemu-engine.ts";
import { createGuestLink } from "../guest-link/tcp-guest-link.ts";
import { BuildQueue } from "../lifecycle/build-queue.ts";
import { MicrovmSupervisor } from "../lifecycle/microvm-supervisor.ts";
import type { ServerInfo } from "../model/server-info.ts";
import { openSlotPool } from "../network/slot-pool.ts";
import type { Log } from "../observability/log.ts";
import { createEndpointProxy } from "../proxy/endpoint-proxy.ts";
import { microvmStore } from "../store/microvm-store.ts";
import { openSqliteStore } from "../store/sqlite/sqlite-store.ts";
import { Cleanup } from "../util/cleanup.ts";
import { lockHome } from "./home-lock.ts";
import { openAccess } from "./access.ts";
import { listenOnLoopback } from "./listen.ts";

const EXPIRY_INTERVAL_MS = 10 * 60 * 1000;
const HTTPS_PORT = 443;

export interface RunningServer {
  /** Puts running microVMs to sleep, then ends everything this server started. */
  stop(): Promise<void>;
}

/** Puts the house together, bottom to top, and opens the doors last. */
export async function startServer(config: Config, log: Log): Promise<RunningServer> {
  const paths = homePaths(config.home);
  const cleanup = new Cleanup();
  try {
    return await open({ config, paths, log, cleanup });
  } catch (cause) {
    await cleanup.run();
    throw cause;
  }
}

interface Opening {
  readonly config: Config;
  readonly paths: HomePaths;
  readonly log: Log;
  readonly cleanup: Cleanup;
}

async function open({ config, paths, log, cleanup }: Opening): Promise<RunningServer> {
  const unlock = await lockHome(paths);
  cleanup.add(unlock);
  const lastPorts = await readLastPorts(paths);
  const store = openSqliteStore(paths.database);
  cleanup.add(() => store.close());
  const engine = await openEngine(config);
  const slots = await openSlotPool({ home: paths.home, subnet: config.slotSubnet, spares: config.slotPoolSize });
  cleanup.add(() => slots.close());

  let endpointPort = HTTPS_PORT;
  const supervisor = new MicrovmSupervisor({
    engine,
    slots,
    openLink: createGuestLink,
    store: microvmStore(store),
    log,
    microvmsDirectory: paths.microvms,
    dozeMs: config.dozeSeconds * 1000,
    hostId: hostname(),
    endpointSuffix: (region) =>
      `.lambda-microvm.${region}.${config.domain}${endpointPort === HTTPS_PORT ? "" : `:${endpointPort}`}`,
  });
  const builder = await createImageBuilder({
    engine,
    acquireSlot: () => slots.acquire(),
    openLink: createGuestLink,
    config,
    paths,
    log,
    objects: createObjectReader({ store, objectsDirectory: paths.objects }),
    authorizer: createRoleAuthorizer({ store }),
  });
  const builds = new BuildQueue({
    store,
    builder,
    paths,
    hostId: hostname(),
    architecture: engine.capabilities.architecture,
    log,
  });
  cleanup.add(() => builds.stop());
  await engine.killStrays(paths.images, new Set()); // machines of builds that a crash interrupted
  await supervisor.recover();
  await slots.removeOrphans();

  await sweepObjectFiles({ store, objectsDirectory: paths.objects }); // uploads that a crash cut short
  const tokens = await openJweEndpointTokens(join(paths.certificates, "endpoint-keys.json"));
  const certificates = await openCertificateAuthority({ directory: paths.certificates, domain: config.domain });
  const proxy = createEndpointProxy({
    directory: supervisor,
    tokens,
    certificates,
    log,
    config: { ...config, endpointPort: config.endpointPort === 0 ? lastPorts.endpoint : config.endpointPort },
  });
  endpointPort = (await proxy.listen()).port;
  cleanup.add(() => proxy.close());
  const access = await openAccess({ config, paths, store, log });
  cleanup.add(() => access.audit.close());
  const api = createApiServer({
    services: [
      createLambdaMicrovmsService({ store, microvms: supervisor, tokens, builds }),
      createS3Service({ store, objectsDirectory: paths.objects }),
      createIamService({ store }),
      createStsService({ store, sessions: access.sessions, authorizer: access.callers }),
    ],
    credentials: access.credentials,
    authorizer: access.authorizer,
    audit: access.audit,
    baseDomains: [config.domain],
    log,
  });
  const apiPort = await listenOnLoopback(api, { bind: config.bind, port: config.apiPort, preferred: lastPorts.api });
  cleanup.add(() => closeServer(api));
  await builds.recover();

  const expiry = setInterval(() => void supervisor.removeExpired(), EXPIRY_INTERVAL_MS);
  cleanup.add(async () => clearInterval(expiry));
  const info: ServerInfo = {
    pid: process.pid,
    apiUrl: `http://${config.bind}:${apiPort}`,
    endpointPort,
    region: config.region,
    accountId: config.accountId,
    domain: config.domain,
    caBundle: certificates.bundleFile,
    credentials: access.bootstrapKey.file,
    acceleration: engine.capabilities.acceleration,
  };
  await writeFile(paths.serverInfo, `${JSON.stringify(info, null, 2)}\n`, { mode: 0o600 });
  log.info({ ...info }, "Catnap is up");
  return {
    async stop() {
      log.info("going down");
      await builds.stop();
      await supervisor.parkAll();
      for (const error of await cleanup.run()) log.warn({ err: error }, "a part did not end cleanly");
      log.info("Catnap is down");
    },
  };
}

function openEngine(config: Config) {
  const at = (name: string) => join(config.guestDirectory, name);
  const guest = {
    kernel: at(process.arch === "arm64" ? "Image" : "vmlinux"),
    initramfs: at("initramfs.cpio"),
    tscMeter: at("tsc-khz"),
  };
  return openQemuEngine({ guest, acceleration: config.acceleration });
}

/** Ports that "any free one" meant last time: endpoints handed out then should still answer. */
async function readLastPorts(paths: HomePaths): Promise<{ api: number; endpoint: number }> {
  const text = await readFile(paths.serverInfo, "utf8").catch(() => undefined);
  await rm(paths.serverInfo, { force: true });
  if (text === undefined) return { api: 0, endpoint: 0 };
  const last = JSON.parse(text) as ServerInfo;
  return { api: Number(new URL(last.apiUrl).port), endpoint: last.endpointPort };
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
