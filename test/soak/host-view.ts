import { readlink, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { processesWorkingIn, startTicksOf } from "../../src/engine/qemu/process-identity.ts";
import { chooseBlock } from "../../src/network/block.ts";
import { hostTable } from "../../src/network/firewall.ts";
import { serviceAddress, slotAt, type SlotBlock } from "../../src/network/slot.ts";
import { mountsBelow, processesOf, takeStock } from "../../tools/leftovers.ts";
import { mustRun } from "../support/project.ts";

/** A virtual machine monitor that runs for a home. */
export interface Monitor {
  readonly pid: number;
  readonly startTicks: string | undefined;
  readonly namespace: string;
}

/** What of one home is on the host. */
export interface HostView {
  readonly block: SlotBlock;
  readonly monitors: readonly Monitor[];
  readonly namespaces: readonly string[];
  /** Names of the host's ends of veth pairs. */
  readonly devices: readonly string[];
  /** Devices that routes of its block lead to. */
  readonly routedDevices: readonly string[];
  readonly controlGroups: readonly string[];
  /** Firewall tables, block route and service address: present or not. */
  readonly claims: readonly string[];
  readonly mounts: readonly string[];
  /** Neither monitors nor the server: tools of builds, say. */
  readonly otherProcesses: readonly string[];
}

export async function lookAtHost(home: string, serverPid: number | undefined): Promise<HostView> {
  const block = await chooseBlock(home, "auto"); // as it was chosen when the server first started
  const { namespace, hostInterface } = slotAt(block, 0);
  const [ours, devicesOurs] = [namespace.slice(0, -1), hostInterface.slice(0, -1)];
  const stock = takeStock();
  const namespaces = stock.namespaces.filter((name) => name.startsWith(ours));
  const routes = JSON.parse(await mustRun("ip", ["-j", "-4", "route"])) as { dev?: string }[];
  const pids = await processesWorkingIn(home);
  const others = processesOf(home).filter(({ pid }) => pid !== serverPid && !pids.includes(pid));
  return {
    block,
    monitors: await Promise.all(pids.map((pid) => monitorOf(pid, namespaces))),
    namespaces,
    devices: stock.devices.filter((name) => name.startsWith(devicesOurs)),
    routedDevices: routes.flatMap(({ dev = "" }) => (dev.startsWith(devicesOurs) ? [dev] : [])),
    controlGroups: stock.controlGroups.filter((path) => basename(path).startsWith(ours)),
    claims: await claimsOf(block),
    mounts: mountsBelow(home),
    otherProcesses: others.map(({ pid, command }) => `process ${pid}: ${command}`),
  };
}

async function monitorOf(pid: number, namespaces: readonly string[]): Promise<Monitor> {
  const own = /\[(\d+)\]/.exec(await readlink(`/proc/${pid}/ns/net`).catch(() => ""))?.[1];
  const inodes = await Promise.all(
    namespaces.map(async (name) => String((await stat(join("/run/netns", name)).catch(() => undefined))?.ino)),
  );
  return { pid, startTicks: await startTicksOf(pid), namespace: namespaces[inodes.indexOf(own ?? "")] ?? "of nobody" };
}

async function claimsOf(block: SlotBlock): Promise<string[]> {
  const [tables, routes, addresses] = await Promise.all([
    mustRun("nft", ["list", "tables"]),
    mustRun("ip", ["-4", "route"]),
    mustRun("ip", ["-4", "address", "show", "dev", "lo"]),
  ]);
  const found: [string, boolean][] = [
    ["firewall table", tables.split("\n").some((line) => line.endsWith(` ${hostTable(block)}`))],
    ["route of the block", new RegExp(`^unreachable ${blockPattern(block)} `, "m").test(routes)],
    ["service address", addresses.includes(` ${serviceAddress(block)}/32 `)],
  ];
  return found.flatMap(([name, isThere]) => (isThere ? [name] : []));
}

function blockPattern(block: SlotBlock): string {
  return `${[24, 16, 8, 0].map((shift) => (block.base >>> shift) & 255).join("\\.")}/${block.prefixLength}`;
}
