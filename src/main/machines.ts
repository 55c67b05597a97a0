import { availableParallelism, hostname } from "node:os";
import { join } from "node:path";
import { createRoleAuthorizer } from "../auth/authorizer-roles.ts";
import type { ImageBuilder } from "../build/image-builder.ts";
import { createImageBuilder } from "../build/create-image-builder.ts";
import type { Engine } from "../engine/engine.ts";
import { openQemuEngine } from "../engine/qemu/qemu-engine.ts";
import { createGuestLink } from "../guest-link/tcp-guest-link.ts";
import { BuildQueue } from "../images/build-queue.ts";
import { createEgressResolver } from "../lifecycle/connector-egress.ts";
import { HostCapacity } from "../lifecycle/host-capacity.ts";
import type { LifeContext } from "../lifecycle/life-context.ts";
import { MicrovmSupervisor } from "../lifecycle/microvm-supervisor.ts";
import { PreparedMachines } from "../lifecycle/prepared-machines.ts";
import { TemplateKeeper } from "../images/template-keeper.ts";
import { BuildGuests } from "../metadata/build-guests.ts";
import { openSlotPool, type SlotPool } from "../network/slot-pool.ts";
import { createLogDestinations, type LogDestinations } from "../logs/log-destination.ts";
import { removeOldEvents } from "../logs/log-retention.ts";
import { microvmStore } from "../store/microvm-store.ts";
import { DiskReserve } from "../util/disk-reserve.ts";
import { Turns } from "../util/turns.ts";
import type { Access } from "./access.ts";
import { openMetadata } from "./guest-services.ts";
import { openArtifactObjects } from "./artifact-objects.ts";
import { openEngineReport } from "./engine-report.ts";
import type { House } from "./house.ts";
import { openMetering, type Metering } from "./metering.ts";
import { watchDisk } from "./watch-disk.ts";

const HTTPS_PORT = 443;
const STARTS_PER_PROCESSOR = 2;
const LOG_REMOVAL_INTERVAL_MS = 60_000;
const EXPIRY_INTERVAL_MS = 10 * 60 * 1000;
const FIRST_VERIFY_MS = 10 * 60 * 1000;
const VERIFY_INTERVAL_MS = 12 * 60 * 60 * 1000;

export interface Machines {
  readonly engine: Engine;
  readonly supervisor: MicrovmSupervisor;
  readonly builds: BuildQueue;
  readonly templates: TemplateKeeper;
  readonly slots: SlotPool;
  readonly disk: DiskReserve;
  readonly metering: Metering;
}

/** Engine, networks, microVMs and builds, as they were left: what lives is attached again, what nobody owns is gone. */
export async function openMachines(
  house: House,
  { access, endpointPort }: { access: Access; endpointPort: () => number },
): Promise<Machines> {
  const { config, paths, cleanup } = house;
  const logs = openLogDestinations(house);
  const engine = await openEngine(house);
  const { activity } = config;
  const touch = ({ microvmId }: { microvmId: string }) => supervisor.touch(microvmId);
  const metering = openMetering(house, engine, activity.has("cpu") ? touch : undefined);
  const slots = await openSlotPool({ home: paths.home, subnet: config.slotSubnet, spares: config.slotPoolSize });
  cleanup.add(() => slots.close());
  const builders = new BuildGuests();
  // before any guest runs on, so that none finds it shut
  await openMetadata(house, { slots, builders, ...access, ...(activity.has("keep-alive") && { onKeepAlive: touch }) });
  const capacity = new HostCapacity({ reserveMiB: config.memoryReserveMiB });
  const disk = new DiskReserve({ directory: paths.home, reserveMiB: config.diskReserveMiB });
  watchDisk(house, disk);
  const prepared = openPrepared(house, { engine, slots, capacity, disk });
  const egressOf = createEgressResolver({ store: house.store, subnets: config.subnets });
  const builder = await openBuilder(house, { engine, slots, disk, builders });
  cleanup.add(() => builder.close());
  const parts = { engine, slots, prepared, egressOf, logs, builder, disk };
  const templates = await openTemplates(house, parts);
  const supervisor: MicrovmSupervisor = openSupervisor(house, {
    ...parts,
    templates,
    capacity,
    meter: metering.meter,
    endpointPort,
  });
  const builds = openBuilds(house, { ...parts, templates });
  await engine.killStrays(paths.images, new Set()); // machines of builds that a crash interrupted
  await engine.removeEmptyGroups(slots.namePrefix);
  await prepared.recover();
  await supervisor.recover();
  await slots.removeOrphans();
  const expiry = setInterval(() => {
    void supervisor.removeExpired();
    templates
      .sweep()
      .catch((err: unknown) => house.log.warn({ err }, "old templates could not be removed; it is tried again"));
  }, EXPIRY_INTERVAL_MS);
  cleanup.add(async () => clearInterval(expiry));
  verifyTemplates(house, templates);
  return { engine, supervisor, builds, templates, slots, disk, metering };
}

/** What the disk itself forgets shows in nothing but its content. */
function verifyTemplates({ log, cleanup }: House, templates: TemplateKeeper): void {
  const verify = () => {
    templates.verify().catch((err: unknown) => log.warn({ err }, "the files of images could not be verified"));
  };
  const timers = [setTimeout(verify, FIRST_VERIFY_MS), setInterval(verify, VERIFY_INTERVAL_MS)];
  cleanup.add(async () => timers.forEach((timer) => clearTimeout(timer)));
}

interface Parts {
  readonly egressOf: LifeContext["egressOf"];
  readonly engine: Engine;
  readonly slots: SlotPool;
  readonly prepared: PreparedMachines;
  readonly logs: LogDestinations;
  readonly disk: DiskReserve;
  readonly builder: ImageBuilder;
}

/** What templates, builds and removals have in common. */
interface ImageParts extends Parts {
  readonly templates: TemplateKeeper;
}

/** Where output goes, and what keeps it from growing without end. */
function openLogDestinations({ config, store, logs, log, cleanup }: House): LogDestinations {
  const maxBytes = config.logStorageMiB * 1024 * 1024;
  const removal = setInterval(() => {
    removeOldEvents(logs.db, { maxBytes, now: Date.now() }).catch((err: unknown) =>
      log.error({ err }, "old log events could not be removed"),
    );
  }, LOG_REMOVAL_INTERVAL_MS);
  cleanup.add(async () => clearInterval(removal));
  return createLogDestinations({ db: logs.db, authorizer: createRoleAuthorizer({ store }), log });
}

function openPrepared(
  { config, paths, log, cleanup }: House,
  { capacity, ...parts }: Pick<Parts, "engine" | "slots" | "disk"> & { capacity: HostCapacity },
): PreparedMachines {
  const prepared = new PreparedMachines({
    ...parts,
    capacity,
    openLink: createGuestLink,
    log,
    directory: paths.preparedMachines,
    perImage: config.preparedPerImage,
  });
  // Machines that nobody uses make room for those that somebody wants.
  capacity.onWanted(() => prepared.giveUpOne());
  cleanup.add(() => prepared.close());
  return prepared;
}

function openSupervisor(
  { config, paths, log, store }: House,
  {
    endpointPort,
    ...parts
  }: ImageParts & { endpointPort: () => number; capacity: HostCapacity; meter: Metering["meter"] },
): MicrovmSupervisor {
  return new MicrovmSupervisor({
    ...parts,
    freshIdentity: config.freshIdentity === "on",
    starts: new Turns(STARTS_PER_PROCESSOR * availableParallelism()),
    openLink: createGuestLink,
    store: microvmStore(store),
    log,
    microvmsDirectory: paths.microvms,
    dozeMs: config.dozeSeconds * 1000,
    hostId: hostname(),
    endpointSuffix: (region) => {
      const port = endpointPort();
      return `.lambda-microvm.${region}.${config.domain}${port === HTTPS_PORT ? "" : `:${port}`}`;
    },
  });
}

async function openBuilder(
  house: House,
  { engine, slots, disk, builders }: Pick<Parts, "engine" | "slots" | "disk"> & { builders: BuildGuests },
): Promise<ImageBuilder> {
  const { config, paths, log, store } = house;
  return createImageBuilder({
    engine,
    acquireSlot: () => slots.acquire(),
    admit: (slot, build) => builders.admit(slot, build),
    openLink: createGuestLink,
    config,
    paths,
    log,
    disk,
    objects: await openArtifactObjects(house),
    authorizer: createRoleAuthorizer({ store }),
  });
}

async function openTemplates(
  { paths, log, store, cleanup }: House,
  { prepared, ...parts }: Parts,
): Promise<TemplateKeeper> {
  const templates = new TemplateKeeper({
    ...parts,
    store,
    paths,
    hostId: hostname(),
    releaseTemplate: (buildId) => prepared.release(buildId),
    onCounted: await openEngineReport(paths.engineReport, parts.engine.capabilities),
    log,
    now: Date.now,
  });
  cleanup.add(() => templates.stop());
  return templates;
}

function openBuilds(
  { paths, log, store, cleanup }: House,
  { templates, prepared, engine, ...parts }: ImageParts,
): BuildQueue {
  const builds = new BuildQueue({
    ...parts,
    store,
    paths,
    hostId: hostname(),
    architecture: engine.capabilities.architecture,
    async releaseTemplate(buildId) {
      await templates.release(buildId);
      await prepared.release(buildId);
    },
    log,
  });
  cleanup.add(() => builds.stop());
  return builds;
}

async function openEngine({ config, paths, log }: House): Promise<Engine> {
  const at = (name: string) => join(config.guestDirectory, name);
  const guest = {
    kernel: at(process.arch === "arm64" ? "Image" : "vmlinux"),
    initramfs: at("initramfs.cpio"),
    tscMeter: at("tsc-khz"),
  };
  const jail = { launcher: at("vmm-launch"), readOnlyMemory: at("read-only-memory.so"), root: paths.jailRoot };
  const engine = await openQemuEngine({
    guest,
    acceleration: config.acceleration,
    jail,
    sparseSum: at("sparse-sum"),
    engines: paths.engines,
  });
  if (!engine.capabilities.boundsMachines)
    log.warn(
      "control groups cannot be made here, so microVMs share memory and processors without bounds; run the server where /sys/fs/cgroup is writable, for example in a systemd unit with Delegate=yes",
    );
  return engine;
}
