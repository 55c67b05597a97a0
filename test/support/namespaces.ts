import { onTestFinished } from "vitest";
import { GUEST_NETWORK } from "../../src/model/guest.ts";
import type { SlotLease, SlotPool } from "../../src/network/slot-pool.ts";
import { runCommand } from "../../src/util/run-command.ts";

export async function useNamespace(name: string): Promise<string> {
  await runCommand("ip", ["netns", "add", name]);
  onTestFinished(async () => void (await runCommand("ip", ["netns", "del", name])));
  return name;
}

/** Lines of `ip -batch`, in the namespace that `where` names. */
export async function batch(where: readonly string[], lines: readonly string[]): Promise<void> {
  await runCommand("ip", [...where, "-batch", "-"], { input: `${lines.join("\n")}\n` });
}

/** A namespace in a guest's place: at the other end of the slot's tap, with the guest's address. */
export async function useGuestPlace(pool: SlotPool, name: string): Promise<{ lease: SlotLease; namespace: string }> {
  const lease = await pool.acquire();
  onTestFinished(() => lease.release());
  const namespace = await useNamespace(name);
  const { guestAddress, gatewayAddress, prefixLength } = GUEST_NETWORK;
  const slot = lease.network.namespace;
  await batch([], [`netns exec ${slot} ip link del tap0`]);
  await batch(
    ["-n", slot],
    [
      `link add tap0 type veth peer name eth0 netns ${namespace}`,
      `addr add ${gatewayAddress}/${prefixLength} dev tap0`,
      "link set tap0 up",
    ],
  );
  await batch(
    ["-n", namespace],
    [
      `addr add ${guestAddress}/${prefixLength} dev eth0`,
      "link set eth0 up",
      `route add default via ${gatewayAddress}`,
    ],
  );
  return { lease, namespace };
}

/** What a program inside gets from a URL; undefined when nothing answers. */
export async function ask(namespace: string, url: string): Promise<string | undefined> {
  const curl = ["curl", "-s", "--noproxy", "*", "-m", "3", url];
  return runCommand("ip", ["netns", "exec", namespace, ...curl]).then(
    ({ stdout }) => stdout,
    () => undefined,
  );
}
