import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { GUEST_NETWORK, SERVICE_PORTS } from "../model/guest.ts";
import { ask, batch, useGuestPlace, useNamespace } from "../../test/support/namespaces.ts";
import { runCommand } from "../util/run-command.ts";
import { openSlotPool } from "./slot-pool.ts";

const METADATA = `http://${GUEST_NETWORK.metadataAddress}/`;
const API = `http://${GUEST_NETWORK.apiAddress}/`;

/** A home whose service address answers with the name of the service and the slot of the caller. */
async function useServices() {
  const home = await mkdtemp(join(tmpdir(), "catnap-service-"));
  const pool = await openSlotPool({ home, subnet: "auto", spares: 0 });
  onTestFinished(async () => {
    await pool.close();
    await rm(home, { recursive: true });
  });
  for (const [name, port] of Object.entries(SERVICE_PORTS)) {
    const server = createServer((request, response) =>
      response.end(`${name} ${pool.numberOf(request.socket.remoteAddress ?? "")}`),
    );
    server.listen(port, pool.serviceAddress);
    await once(server, "listening");
    onTestFinished(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
  }
  return { pool, tag: basename(home).slice(-6) };
}

test("guests reach metadata and the API under their addresses, and are told apart by their slot", async () => {
  const { pool, tag } = await useServices();
  const [one, two] = [await useGuestPlace(pool, `cng1-${tag}`), await useGuestPlace(pool, `cng2-${tag}`)];
  for (const { lease, namespace } of [one, two]) {
    expect(await ask(namespace, METADATA)).toBe(`metadata ${lease.number}`);
    expect(await ask(namespace, API)).toBe(`api ${lease.number}`);
  }
  expect(one.lease.number).not.toBe(two.lease.number);
});

test("the service address itself and the rest of the host stay shut to guests", async () => {
  const { pool, tag } = await useServices();
  const { namespace } = await useGuestPlace(pool, `cng3-${tag}`);
  const everywhere = createServer((_request, response) => response.end("host"));
  everywhere.listen(0, "0.0.0.0");
  await once(everywhere, "listening");
  onTestFinished(() => void everywhere.close());
  const { port } = everywhere.address() as { port: number };
  const closed = [
    `http://${pool.serviceAddress}:${SERVICE_PORTS.metadata}/`,
    `http://${pool.serviceAddress}:${SERVICE_PORTS.api}/`,
    `http://${pool.serviceAddress}:${port}/`,
    `http://${GUEST_NETWORK.gatewayAddress}:${port}/`,
    `http://${GUEST_NETWORK.metadataAddress}:${port}/`,
    `http://${GUEST_NETWORK.metadataAddress}:8080/`,
  ];
  expect(await Promise.all(closed.map((url) => ask(namespace, url)))).toEqual(closed.map(() => undefined));
});

test("metadata is one hop away: a network that the guest makes for itself does not reach it", async () => {
  const { pool, tag } = await useServices();
  const { lease, namespace } = await useGuestPlace(pool, `cng4-${tag}`);
  const nested = await useNamespace(`cnn4-${tag}`);
  await batch(
    ["-n", namespace],
    [`link add nest type veth peer name eth0 netns ${nested}`, "addr add 192.168.77.1/24 dev nest", "link set nest up"],
  );
  await batch(
    ["-n", nested],
    ["addr add 192.168.77.2/24 dev eth0", "link set eth0 up", "route add default via 192.168.77.1"],
  );
  const masquerade =
    "table ip nat { chain postrouting { type nat hook postrouting priority srcnat; oifname eth0 masquerade; }; }";
  await runCommand("ip", ["netns", "exec", namespace, "nft", "-f", "-"], { input: masquerade });
  await runCommand("ip", ["netns", "exec", namespace, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"]);
  expect(await ask(nested, API)).toBe(`api ${lease.number}`);
  expect(await ask(nested, METADATA)).toBeUndefined();
  expect(await ask(namespace, METADATA)).toBe(`metadata ${lease.number}`);
});

test("on the host only root reaches the service address, and is no guest there", async () => {
  const { pool } = await useServices();
  const url = `http://${pool.serviceAddress}:${SERVICE_PORTS.metadata}/`;
  const curl = ["curl", "-s", "--noproxy", "*", "-m", "3", url];
  expect((await runCommand("curl", curl.slice(1))).stdout).toBe("metadata undefined");
  await expect(runCommand("setpriv", ["--reuid", "65534", "--clear-groups", ...curl])).rejects.toThrow();
});

test("closing the pool takes the service address away", async () => {
  const { pool } = await useServices();
  const has = async () =>
    (await runCommand("ip", ["-4", "addr", "show", "dev", "lo"])).stdout.includes(pool.serviceAddress);
  expect(await has()).toBe(true);
  await pool.close();
  expect(await has()).toBe(false);
});
