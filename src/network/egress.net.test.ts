import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { ask, useGuestPlace } from "../../test/support/namespaces.ts";
import { useOutsideWorld, WORLD } from "../../test/support/outside-world.ts";
import type { EgressPolicy } from "../model/egress-policy.ts";
import { GUEST_NETWORK, SERVICE_PORTS } from "../model/guest.ts";
import { runCommand } from "../util/run-command.ts";
import { openSlotPool } from "./slot-pool.ts";

const INTERNET: EgressPolicy = { kind: "internet" };
const NONE: EgressPolicy = { kind: "none" };

async function usePlace() {
  const home = await mkdtemp(join(tmpdir(), "catnap-egress-"));
  const tag = basename(home).slice(-6).toLowerCase();
  await useOutsideWorld(`cnw-${tag}`);
  const pool = await openSlotPool({ home, subnet: "auto", spares: 0, resolver: WORLD.resolver });
  onTestFinished(async () => {
    await pool.close();
    await rm(home, { recursive: true });
  });
  for (const [name, port] of Object.entries(SERVICE_PORTS)) {
    const server = createServer((_request, response) => response.end(name)).listen(port, pool.serviceAddress);
    await once(server, "listening");
    onTestFinished(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
  }
  return { pool, ...(await useGuestPlace(pool, `cne-${tag}`)) };
}

/** Runs a program in the guest's place; what it printed, or undefined when it failed. */
async function inside(namespace: string, script: string): Promise<string | undefined> {
  const program = ["netns", "exec", namespace, process.execPath, "-e", script];
  return runCommand("ip", program).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
}

const tcp = (namespace: string, host: string) =>
  inside(
    namespace,
    `const s = require("node:net").connect({ host: "${host}", port: ${WORLD.port}, timeout: 3000 }, () => s.write("t"));
     s.on("data", (d) => { console.log(String(d)); process.exit(0); }).on("error", () => process.exit(1)).on("timeout", () => process.exit(2));`,
  );
const udp = (namespace: string, host: string) =>
  inside(
    namespace,
    `const s = require("node:dgram").createSocket("udp4"); setTimeout(() => process.exit(2), 1500);
     s.on("message", (d) => { console.log(String(d)); process.exit(0); }).on("error", () => process.exit(1));
     s.connect(${WORLD.port}, "${host}", () => s.send("u"));`,
  );
const dns = (namespace: string) =>
  inside(
    namespace,
    `const r = new (require("node:dns").promises.Resolver)({ timeout: 1500, tries: 1 }); r.setServers(["${GUEST_NETWORK.dnsAddress}"]);
     r.resolve4("some.example").then((a) => console.log(a[0]), () => process.exit(1));`,
  );

/** What of everything answers a guest. */
async function reach(namespace: string) {
  const [publicTcp, publicUdp, privateTcp, privateUdp, names, metadata, api] = await Promise.all([
    tcp(namespace, WORLD.public),
    udp(namespace, WORLD.public),
    tcp(namespace, WORLD.private),
    udp(namespace, WORLD.private),
    dns(namespace),
    ask(namespace, `http://${GUEST_NETWORK.metadataAddress}/`),
    ask(namespace, `http://${GUEST_NETWORK.apiAddress}/`),
  ]);
  const all = { publicTcp, publicUdp, privateTcp, privateUdp, names, metadata, api };
  return Object.entries(all).flatMap(([name, answer]) => (answer === undefined ? [] : [name]));
}

test("a new slot opens public TCP and names, and no other UDP and no private address", async () => {
  const { namespace } = await usePlace();
  expect(await reach(namespace)).toEqual(["publicTcp", "names", "metadata", "api"]);
  expect(await tcp(namespace, WORLD.public)).toBe("world t");
  expect(await dns(namespace)).toBe("192.0.2.7");
});

test("a closed slot lets nothing out but metadata, and opens again when told so", async () => {
  const { lease, namespace } = await usePlace();
  await lease.setEgress(NONE);
  expect(await reach(namespace)).toEqual(["metadata"]);
  await lease.setEgress(INTERNET);
  expect(await reach(namespace)).toEqual(["publicTcp", "names", "metadata", "api"]);
});

test("the host reaches the guest's agent whatever the guest may reach", async () => {
  const { lease, namespace } = await usePlace();
  const agent = `require("node:net").createServer((s) => s.end("agent")).listen(${lease.guest.port}, "0.0.0.0", () => console.log("up"))`;
  const program = spawn("ip", ["netns", "exec", namespace, process.execPath, "-e", agent], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(async () => {
    program.kill("SIGKILL");
    await once(program, "exit");
  });
  await once(program.stdout, "data");
  await lease.setEgress(NONE);
  const { stdout } = await runCommand("curl", [
    "-s",
    "--http0.9",
    "--noproxy",
    "*",
    "-m",
    "3",
    `http://${lease.guest.host}:${lease.guest.port}/`,
  ]);
  expect(stdout).toBe("agent");
});

test("closing a slot ends the connections that are open", async () => {
  const { lease, namespace } = await usePlace();
  const talk = `const s = require("node:net").connect(${WORLD.port}, "${WORLD.public}", () => setInterval(() => s.write("x"), 50));
    s.on("data", () => console.log("heard")).on("error", () => process.exit(7));`;
  const program = spawn("ip", ["netns", "exec", namespace, process.execPath, "-e", talk], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void program.kill("SIGKILL"));
  await once(program.stdout, "data");
  const exited = once(program, "exit");
  await lease.setEgress(NONE);
  expect((await exited)[0]).toBe(7);
});

test("a slot with routes reaches their networks by TCP and UDP, and nothing else", async () => {
  const { lease, namespace } = await usePlace();
  const own = { kind: "routes", networks: ["100.99.0.0/16", "100.99.7.0/24"] } as const;
  await lease.setEgress(own);
  expect(await reach(namespace)).toEqual(["privateTcp", "privateUdp", "names", "metadata", "api"]);
  await lease.setEgress({ kind: "routes", networks: ["0.0.0.0/0"] });
  expect(await reach(namespace)).toEqual(["publicTcp", "publicUdp", "names", "metadata", "api"]);
  await lease.setEgress({ kind: "routes", networks: [...own.networks, "0.0.0.0/0"] });
  expect(await reach(namespace)).toHaveLength(7);
  await lease.setEgress({ kind: "routes", networks: [] });
  expect(await reach(namespace)).toEqual(["names", "metadata", "api"]);
});

test("routes never lead to the host, its loopback or another slot", async () => {
  const { pool, lease, namespace } = await usePlace();
  const other = await pool.acquire();
  onTestFinished(() => other.release());
  await lease.setEgress({
    kind: "routes",
    networks: ["10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "198.51.100.0/24"],
  });
  const onHost = createServer((_request, response) => response.end("host")).listen(0, "0.0.0.0");
  await once(onHost, "listening");
  onTestFinished(() => void onHost.close());
  const { port } = onHost.address() as { port: number };
  const closed = [lease.guest.host, other.guest.host, "198.51.100.1", pool.serviceAddress, "127.0.0.1"];
  expect(await Promise.all(closed.map((host) => ask(namespace, `http://${host}:${port}/`)))).toEqual(
    closed.map(() => undefined),
  );
  expect(await ask(namespace, `http://${other.guest.host}:${other.guest.port}/`)).toBeUndefined();
});

test("nothing of IPv6 is forwarded", async () => {
  const { lease } = await usePlace();
  const rules = await vi.waitFor(() =>
    runCommand("ip", ["netns", "exec", lease.network.namespace, "nft", "list", "table", "ip6", "catnap"]),
  );
  expect(rules.stdout).toMatch(/hook forward priority filter; policy drop/);
});

test("a policy outlives the pool: the slot's next owner finds it as it was", async () => {
  const { pool, lease, namespace } = await usePlace();
  await lease.setEgress(NONE);
  await pool.close();
  expect(await tcp(namespace, WORLD.public)).toBeUndefined();
});
