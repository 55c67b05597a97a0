import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { homePaths } from "../../src/config/paths.ts";
import { ENGINE_FILES } from "../../src/engine/engine.ts";
import { slotAt } from "../../src/network/slot.ts";
import { lookAtHost, type HostView } from "./host-view.ts";
import { readStore, type StoredMicrovm, type StoreView } from "./store-view.ts";

/** Of a server with default settings. */
const SPARE_SLOTS = 2;
const CLAIMS = ["firewall table", "route of the block", "service address"];

/** What store, processes, namespaces, mounts, control groups, rules and files of a quiet home do not agree on. */
export async function findDisagreements(home: string): Promise<string[]> {
  const paths = homePaths(home);
  const serverPid = Number(await readFile(paths.pidFile, "utf8"));
  const store = readStore(paths.database);
  const host = await lookAtHost(home, serverPid);
  const prepared = await list(paths.preparedMachines);
  return [
    ...unsettled(store),
    ...checkMonitors(store, host, prepared.length),
    ...checkNetwork(store, host),
    ...checkUsage(store),
    ...(await checkMicrovmFiles(store, paths.microvms)),
    ...(await checkImageFiles(store, home)),
    ...host.mounts.filter((mount) => !isStorageItself(mount, home)).map((mount) => `a mount is left: ${mount}`),
    ...host.otherProcesses.map((process) => `a process is left: ${process}`),
  ];
}

/** What is on the host of a home whose server has gone down; only its files may be. */
export async function findRemains(home: string): Promise<string[]> {
  const host = await lookAtHost(home, undefined);
  return [
    ...host.monitors.map(({ pid }) => `monitor ${pid}`),
    ...host.namespaces,
    ...host.devices,
    ...host.controlGroups,
    ...host.claims,
    ...host.mounts,
    ...host.otherProcesses,
  ].map((thing) => `left on the host: ${thing}`);
}

function unsettled({ microvms, builds, images }: StoreView): string[] {
  const quiet = ["RUNNING", "SUSPENDED", "TERMINATED"];
  return [
    ...microvms.filter(({ state }) => !quiet.includes(state)).map(({ id, state }) => `${id} is still ${state}`),
    ...builds.filter(({ state }) => /PEND|PROGRESS/.test(state)).map(({ id, state }) => `build ${id} is ${state}`),
    ...images.filter(({ state }) => state.endsWith("ING")).map(({ arn, state }) => `${arn} is ${state}`),
  ];
}

function checkMonitors(store: StoreView, { block, monitors, controlGroups }: HostView, prepared: number): string[] {
  const found: string[] = [];
  const left = new Map(monitors.map((monitor) => [monitor.pid, monitor]));
  for (const { id, state, machine } of store.microvms) {
    if (machine === undefined) {
      if (state === "RUNNING") found.push(`${id} is RUNNING without a machine`);
      continue;
    }
    const monitor = left.get(machine.handle.pid);
    left.delete(machine.handle.pid);
    if (monitor?.startTicks !== machine.handle.startTicks)
      found.push(`the machine of ${id} (${state}), process ${machine.handle.pid}, is not there`);
    else if (monitor.namespace !== slotAt(block, machine.slot).namespace)
      found.push(`the machine of ${id} is in namespace ${monitor.namespace}, by the store in slot ${machine.slot}`);
    if (state === "TERMINATED") found.push(`${id} has ended and has a machine on record`);
  }
  if (left.size !== prepared)
    found.push(`${prepared} folders of prepared machines, processes: ${[...left.keys()].join(", ") || "none"}`);
  const bounded = new Set(controlGroups.map((path) => basename(path)));
  const used = new Set(monitors.map(({ namespace }) => namespace));
  return [
    ...found,
    ...difference("control group without a machine", bounded, used),
    ...(bounded.size === 0 ? [] : difference("machine without a control group", used, bounded)),
  ];
}

function checkNetwork(store: StoreView, { block, monitors, namespaces, devices, routedDevices, claims }: HostView) {
  const inUse = new Set([
    ...monitors.map(({ namespace }) => namespace),
    ...store.microvms.flatMap(({ machine }) => (machine ? [slotAt(block, machine.slot).namespace] : [])),
  ]);
  const spare = namespaces.filter((name) => !inUse.has(name));
  const ends = namespaces.map((name) => name.replace(/^catnap-/, "cn"));
  return [
    ...(spare.length > SPARE_SLOTS ? [`namespaces of nobody, besides two spare ones: ${spare.join(", ")}`] : []),
    ...difference("network device without a namespace", devices, ends),
    ...difference("namespace without a device of the host", ends, devices),
    ...difference("route without a namespace", routedDevices, ends),
    ...difference("namespace without a route", ends, routedDevices),
    ...difference("not there", CLAIMS, claims),
  ];
}

/** What runs is metered as running, what sleeps as asleep, each once. */
function checkUsage({ microvms, openUsage }: StoreView): string[] {
  const kinds = new Map([
    ["RUNNING", "running"],
    ["SUSPENDED", "asleep"],
  ]);
  const wanted = microvms.flatMap(({ id, state }) => (kinds.has(state) ? [`${kinds.get(state)} ${id}`] : []));
  const twice = openUsage.filter((what, at) => openUsage.indexOf(what) !== at);
  return [
    ...difference("use that is not metered", wanted, openUsage),
    ...difference("use that is metered and has ended", openUsage, wanted),
    ...twice.map((what) => `use that is metered twice: ${what}`),
  ];
}

async function checkMicrovmFiles({ microvms }: StoreView, directory: string): Promise<string[]> {
  const found = difference(
    "folder of a microVM that is not in the store",
    await list(directory),
    microvms.map(({ id }) => id),
  );
  for (const microvm of microvms) found.push(...checkFolder(microvm, await list(join(directory, microvm.id))));
  return found;
}

function checkFolder({ id, state }: StoredMicrovm, names: readonly string[]): string[] {
  const { upper, changedPages, devices } = ENGINE_FILES;
  const saved = [changedPages, devices];
  const unfinished = names.filter((name) => name.endsWith(".new"));
  const missing = state === "TERMINATED" ? [] : [upper, ...(state === "SUSPENDED" ? saved : [])];
  const unwanted =
    state === "TERMINATED"
      ? names.filter((name) => !name.startsWith("app.log"))
      : names.filter((name) => state === "RUNNING" && saved.includes(name as typeof changedPages));
  return [
    ...unfinished.map((name) => `${id} (${state}) has an unfinished ${name}`),
    ...difference(`${id} (${state}) lacks`, missing, names),
    ...unwanted.map((name) => `${id} (${state}) has ${name}`),
  ];
}

async function checkImageFiles({ builds, objectFiles }: StoreView, home: string): Promise<string[]> {
  const paths = homePaths(home);
  const used = builds.flatMap(({ rootfs }) => (rootfs === undefined ? [] : [basename(rootfs)]));
  const found = [
    ...difference(
      "folder of a build that is not in the store",
      await list(paths.images),
      builds.map(({ id }) => id),
    ),
    ...difference("root file system that no build uses", await list(paths.rootfs), used),
    ...difference("root file system that is gone", used, await list(paths.rootfs)),
    ...(await list(paths.buildWork)).map((name) => `the work of a build is left: ${name}`),
    ...difference("object file that is not in the store", await list(paths.objects), objectFiles),
    ...difference("object file that is gone", objectFiles, await list(paths.objects)),
  ];
  const { templateMemory, templateDevices, templateUpper } = ENGINE_FILES;
  for (const { id, state } of builds) {
    const names = await list(join(paths.images, id));
    if (state === "SUCCESSFUL")
      found.push(...difference(`build ${id} lacks`, [templateMemory, templateDevices, templateUpper], names));
    else found.push(...names.filter((name) => name !== "build.log").map((name) => `failed build ${id} has ${name}`));
  }
  return found;
}

/** Buildah mounts its storage onto itself while it is used. */
function isStorageItself(mount: string, home: string): boolean {
  return mount === join(homePaths(home).containerStorage, "storage/overlay");
}

function difference(what: string, some: Iterable<string>, others: Iterable<string>): string[] {
  const known = new Set(others);
  return [...some].filter((one) => !known.has(one)).map((one) => `${what}: ${one}`);
}

function list(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => []);
}
