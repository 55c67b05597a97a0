import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { runCommand } from "../util/run-command.ts";
import { openSlotPool } from "./slot-pool.ts";

async function usePool(spares: number) {
  const home = await mkdtemp(join(tmpdir(), "catnap-net-"));
  const open = () => openSlotPool({ home, subnet: "auto", spares });
  const pool = await open();
  onTestFinished(async () => {
    await pool.close();
    const sweeper = await open();
    await sweeper.removeOrphans();
    await sweeper.close();
    await rm(home, { recursive: true });
  });
  return { pool, open };
}

const inNamespace = (namespace: string, ...command: string[]) =>
  runCommand("ip", ["netns", "exec", namespace, ...command]);

test("two slots have equal insides and different host addresses", async () => {
  const { pool } = await usePool(0);
  const [one, two] = await Promise.all([pool.acquire(), pool.acquire()]);
  expect(one.guest.host).not.toBe(two.guest.host);
  for (const lease of [one, two]) {
    const { stdout } = await inNamespace(lease.network.namespace, "ip", "-4", "-br", "addr", "show", "tap0");
    expect(stdout).toContain("172.16.0.1/30");
  }
  await Promise.all([one.release(), two.release()]);
});

test("a slot forwards, translates and drops by default", async () => {
  const { pool } = await usePool(0);
  const lease = await pool.acquire();
  const { stdout } = await inNamespace(lease.network.namespace, "nft", "list", "table", "ip", "catnap");
  expect(stdout).toMatch(/hook forward priority filter; policy drop/);
  expect(stdout).toContain("dnat to 172.16.0.2");
  const forwarding = await inNamespace(lease.network.namespace, "cat", "/proc/sys/net/ipv4/ip_forward");
  expect(forwarding.stdout.trim()).toBe("1");
  await lease.release();
});

test("a released slot leaves no namespace and no interface", async () => {
  const { pool } = await usePool(0);
  const lease = await pool.acquire();
  await lease.release();
  const { stdout } = await runCommand("ip", ["netns", "list"]);
  expect(stdout).not.toContain(lease.network.namespace);
});

test("a slot is made where a killed server left its half of one", async () => {
  const { pool } = await usePool(0);
  const lease = await pool.acquire();
  const { namespace } = lease.network;
  const device = namespace.replace(/^catnap-/, "cn");
  await lease.release();
  await runCommand("ip", ["link", "add", device, "type", "veth", "peer", "name", `${device}x`]);
  await runCommand("ip", ["netns", "add", namespace]);
  const again = await pool.acquire();
  expect(again.number).toBe(lease.number);
  await again.release();
  const { stdout } = await runCommand("ip", ["-br", "link"]);
  expect(stdout).not.toContain(device);
});

test("a leased slot outlives the pool and can be adopted by the next one", async () => {
  const { pool, open } = await usePool(1);
  const lease = await pool.acquire();
  await pool.close();
  const next = await open();
  const adopted = next.adopt(lease.number);
  expect(adopted?.guest).toEqual(lease.guest);
  await next.removeOrphans();
  await expect(inNamespace(lease.network.namespace, "true")).resolves.toBeDefined();
  await adopted?.release();
  await next.close();
});

/** A loopback address that comes: whoever watches addresses sees what went before it, too. */
async function addAddress(address: string): Promise<void> {
  await runCommand("ip", ["address", "add", `${address}/32`, "dev", "lo"]);
  onTestFinished(async () => void (await runCommand("ip", ["address", "del", `${address}/32`, "dev", "lo"])));
}

test("the host gets no address when slots come and go, so that browsers on it keep their connections", async () => {
  const { pool } = await usePool(0);
  const monitor = spawn("ip", ["-oneline", "monitor", "address"], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void monitor.kill());
  let seen = "";
  monitor.stdout.setEncoding("utf8").on("data", (text: string) => (seen += text));
  await vi.waitFor(
    async () => {
      await addAddress(`127.99.${randomInt(1, 250)}.${randomInt(1, 250)}`);
      expect(seen).toContain("127.99.");
    },
    { timeout: 30_000 },
  );
  const lease = await pool.acquire();
  const { stdout } = await runCommand("ip", ["-4", "-oneline", "route", "show", `${lease.guest.host}/32`]);
  const device = /dev (\S+)/.exec(stdout)?.[1] ?? "";
  expect(device).toMatch(/^cn/);
  expect((await runCommand("ip", ["-oneline", "address", "show", "dev", device])).stdout).toBe("");
  await lease.release();
  await addAddress("127.98.0.1");
  await vi.waitFor(() => expect(seen).toContain("127.98.0.1"), { timeout: 30_000 });
  expect(seen).not.toContain(device);
});
