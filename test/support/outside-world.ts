import { spawn } from "node:child_process";
import { once } from "node:events";
import { onTestFinished } from "vitest";
import { runCommand } from "../../src/util/run-command.ts";
import { batch, useNamespace } from "./namespaces.ts";

/** Addresses of a host beyond this one: one as public ones are, one private, one of a DNS server. */
export const WORLD = { public: "198.51.100.2", private: "100.99.7.2", resolver: "198.51.100.53", port: 8080 } as const;

const HOST_SIDE = { public: "198.51.100.1", private: "100.99.7.1" } as const;

/** On TCP and UDP the port tells the caller's words back; on 53 every name is 192.0.2.7. */
const SERVER = `
const net = require("node:net"), dgram = require("node:dgram");
const echo = net.createServer((socket) => { socket.on("error", () => {}); socket.on("data", (data) => socket.write("world " + data)); });
const udp = dgram.createSocket("udp4");
udp.on("message", (data, from) => udp.send("world " + data, from.port, from.address));
const dns = dgram.createSocket("udp4");
dns.on("message", (query, from) => {
  const end = query.indexOf(0, 12) + 5;
  const head = Buffer.from([query[0], query[1], 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
  const answer = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 192, 0, 2, 7]);
  dns.send(Buffer.concat([head, query.subarray(12, end), answer]), from.port, from.address);
});
echo.listen(${WORLD.port}, "0.0.0.0", () => udp.bind(${WORLD.port}, () => dns.bind(53, "${WORLD.resolver}", () => console.log("up"))));
`;

/** A namespace that stands for everything beyond this host; the host routes to it while the test runs. */
export async function useOutsideWorld(name: string): Promise<void> {
  const namespace = await useNamespace(name);
  const link = name.slice(0, 12);
  await batch([], [`link add ${link} type veth peer name eth0 netns ${namespace}`]);
  onTestFinished(async () => void (await runCommand("ip", ["link", "del", link]).catch(() => {})));
  await batch(
    [],
    [
      `addr add ${HOST_SIDE.public}/24 dev ${link}`,
      `addr add ${HOST_SIDE.private}/24 dev ${link}`,
      `link set ${link} up`,
    ],
  );
  await batch(
    ["-n", namespace],
    [
      `addr add ${WORLD.public}/24 dev eth0`,
      `addr add ${WORLD.resolver}/24 dev eth0`,
      `addr add ${WORLD.private}/24 dev eth0`,
      "link set lo up",
      "link set eth0 up",
      `route add default via ${HOST_SIDE.public}`,
    ],
  );
  const server = spawn("ip", ["netns", "exec", namespace, process.execPath, "-e", SERVER], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(async () => {
    server.kill("SIGKILL");
    await once(server, "exit");
  });
  await once(server.stdout, "data");
}
