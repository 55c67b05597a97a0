import { writeFile } from "node:fs/promises";
import { AppError } from "../errors/app-error.ts";
import type { EgressPolicy } from "../model/egress-policy.ts";
import { GUEST_NETWORK } from "../model/guest.ts";
import { runCommand } from "../util/run-command.ts";
import { egressRules, hostRules, hostTable, slotRules } from "./firewall.ts";
import { formatBlock, serviceAddress, SLOT_TAP, SLOT_UPLINK, type Slot, type SlotBlock } from "./slot.ts";

/** Claims the block: forwarding on, host rules, the service address, and a route that keeps unused slot addresses from leaving the host. */
export async function setUpHost(block: SlotBlock): Promise<void> {
  await writeFile("/proc/sys/net/ipv4/ip_forward", "1"); // namespaces made afterwards inherit it
  await runCommand("nft", ["-f", "-"], { input: hostRules(block) });
  await runCommand("ip", ["route", "replace", "unreachable", formatBlock(block), "metric", "4096"]);
  await runCommand("ip", ["address", "replace", `${serviceAddress(block)}/32`, "dev", "lo"]);
}

export async function tearDownHost(block: SlotBlock): Promise<void> {
  await Promise.allSettled([
    runCommand("nft", ["delete", "table", "inet", hostTable(block)]),
    runCommand("ip", ["route", "del", "unreachable", formatBlock(block), "metric", "4096"]),
    runCommand("ip", ["address", "del", `${serviceAddress(block)}/32`, "dev", "lo"]),
  ]);
}

/** The two ends of every pair; each pair is a network of its own. */
const HOST_MAC = "02:ca:74:00:00:01";
const SLOT_MAC = "02:ca:74:00:00:02";

/**
 * Makes slots from nothing, with few spawned tools however many they are. The host's ends have no addresses, they share
 * the service address: programs of the host that watch its addresses, as browsers do, drop their connections whenever
 * one comes or goes.
 */
export async function makeSlots(block: SlotBlock, slots: readonly Slot[], resolver: string): Promise<void> {
  if (slots.length === 0) return;
  try {
    await setUp(block, slots, resolver).catch(async () => {
      await removeSlots(slots); // of a server that was killed while it made or removed them
      await setUp(block, slots, resolver);
    });
  } catch (cause) {
    await removeSlots(slots);
    throw new AppError("ERR_NETWORK_SLOT", { cause });
  }
}

async function setUp(block: SlotBlock, slots: readonly Slot[], resolver: string): Promise<void> {
  const service = serviceAddress(block);
  const outside = slots.flatMap((slot) => [
    `netns add ${slot.namespace}`,
    `link add ${slot.hostInterface} address ${HOST_MAC} type veth peer name ${SLOT_UPLINK} address ${SLOT_MAC} netns ${slot.namespace}`,
    `link set ${slot.hostInterface} addrgenmode none up`,
    `route add ${slot.slotAddress}/32 dev ${slot.hostInterface} src ${service}`,
    `neigh replace ${slot.slotAddress} lladdr ${SLOT_MAC} dev ${slot.hostInterface} nud permanent`,
  ]);
  await runCommand("ip", ["-batch", "-"], { input: `${outside.join("\n")}\n` });
  const rules = slotRules(block, resolver);
  await Promise.all(slots.map((slot) => setUpInside(slot, service, rules)));
}

async function setUpInside(slot: Slot, service: string, rules: string): Promise<void> {
  const inside = [
    `link set lo up`,
    `addr add ${slot.slotAddress}/32 dev ${SLOT_UPLINK}`,
    `link set ${SLOT_UPLINK} up`,
    `neigh replace ${service} lladdr ${HOST_MAC} dev ${SLOT_UPLINK} nud permanent`,
    `route add ${service}/32 dev ${SLOT_UPLINK}`,
    `route add default via ${service}`,
    `tuntap add ${SLOT_TAP} mode tap`,
    `link set ${SLOT_TAP} address ${GUEST_NETWORK.gatewayMac} up`,
    `addr add ${GUEST_NETWORK.gatewayAddress}/${GUEST_NETWORK.prefixLength} dev ${SLOT_TAP}`,
    `neigh replace ${GUEST_NETWORK.guestAddress} lladdr ${GUEST_NETWORK.guestMac} dev ${SLOT_TAP} nud permanent`,
  ];
  await runCommand("ip", ["-n", slot.namespace, "-batch", "-"], { input: `${inside.join("\n")}\n` });
  await loadRules(slot, rules);
}

/** Binds what a slot's guest may connect to, at once; ERR_NETWORK_SLOT when it could not be. */
export async function limitEgress(
  slot: Slot,
  { policy, block, resolver }: { policy: EgressPolicy; block: SlotBlock; resolver: string },
): Promise<void> {
  try {
    await loadRules(slot, egressRules(policy, block, resolver));
  } catch (cause) {
    throw new AppError("ERR_NETWORK_SLOT", { message: "The egress rules of a network slot could not be set", cause });
  }
}

async function loadRules(slot: Slot, rules: string): Promise<void> {
  await runCommand("nsenter", [`--net=/run/netns/${slot.namespace}`, "nft", "-f", "-"], { input: rules });
}

/**
 * Deleting the namespace takes tap, veth pair and rules with it, but at the kernel's leisure: the host's end goes first, or its
 * name would still be taken when the slot is made again.
 */
export async function removeSlots(slots: readonly Pick<Slot, "namespace" | "hostInterface">[]): Promise<void> {
  if (slots.length === 0) return;
  const lines = slots.flatMap((slot) => [`link del ${slot.hostInterface}`, `netns del ${slot.namespace}`]);
  await runCommand("ip", ["-force", "-batch", "-"], { input: `${lines.join("\n")}\n` }).catch(() => {}); // one already gone is fine
}

/** Numbers of this home's slots that exist on the host now, from an earlier life of the server. */
export async function existingSlots(block: SlotBlock): Promise<number[]> {
  const { stdout } = await runCommand("ip", ["-j", "netns", "list"]);
  const names = stdout.trim() === "" ? [] : (JSON.parse(stdout) as { name: string }[]);
  const prefix = `catnap-${block.tag}-`;
  return names.filter(({ name }) => name.startsWith(prefix)).map(({ name }) => Number(name.slice(prefix.length)));
}
