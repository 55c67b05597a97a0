import { connect } from "node:http2";
import { connect as connectTls } from "node:tls";
import { expect, onTestFinished, test, vi } from "vitest";
import type { GuestLink } from "../guest-link/guest-link.ts";
import { managedConnectorArn } from "../model/connectors.ts";
import { type ProxyFixture, readAll, useProxy } from "./proxy-fixture.ts";

/** A microVM whose agent refuses every shell once it is told to, and a token for one. */
async function useShells(): Promise<{ fixture: ProxyFixture; protocols: string; refuse: () => void }> {
  const fixture = await useProxy();
  const { microvm } = fixture;
  microvm.ingressNetworkConnectors = [managedConnectorArn("us-east-1", "SHELL_INGRESS")];
  const refusal = Promise.withResolvers<unknown>();
  microvm.onAwake = () => Promise.resolve({ session: () => refusal.promise } as unknown as GuestLink);
  const token = await fixture.token({ kind: "shell", ports: [] });
  const refuse = (): void => refusal.resolve({ refused: "agent-refused", reason: "too many sessions" });
  return { fixture, refuse, protocols: `lambda-microvms, lambda-microvms.authentication.${token}` };
}

test("a shell's WebSocket opens, and what the client sent with its handshake is read", async () => {
  const { fixture, protocols, refuse } = await useShells();
  const socket = await fixture.tls();
  const lines = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
  const ping = Buffer.of(0x89, 0x80, 0, 0, 0, 0).toString("latin1");
  socket.write(
    `GET /shell HTTP/1.1\r\nHost: ${fixture.microvm.host}\r\nSec-WebSocket-Key: a2V5a2V5a2V5a2V5a2V5aw==\r\n` +
      `Sec-WebSocket-Protocol: ${protocols}\r\n${lines.join("\r\n")}\r\n\r\n${ping}`,
    "latin1",
  );
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk: string) => (text += chunk));
  await vi.waitFor(() => expect(text).toContain("\x8a\0"), 10_000); // a pong
  refuse();
  await vi.waitFor(() => expect(text).toContain("too many sessions"), 10_000);
  expect(text).toMatch(/^HTTP\/1.1 101 Switching Protocols\r\n/);
  expect(text).toMatch(/\r\nSec-WebSocket-Protocol: lambda-microvms\r\n/i);
  expect(text).toMatch(/\r\nx-amzn-requestid: [0-9a-f-]{36}\r\n/);
});

test("a handshake that is none is refused with the request's id", async () => {
  const { fixture, protocols } = await useShells();
  const socket = await fixture.tls();
  socket.write(
    `GET /shell HTTP/1.1\r\nHost: ${fixture.microvm.host}\r\nSec-WebSocket-Protocol: ${protocols}\r\n` +
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 7\r\n\r\n",
  );
  expect(await readAll(socket)).toMatch(/^HTTP\/1.1 400 [^]*\r\nx-amzn-requestid: [0-9a-f-]{36}\r\n/);
});

test("a shell's WebSocket opens over HTTP/2 too, as browsers do where a connection is open already", async () => {
  const { fixture, protocols, refuse } = await useShells();
  refuse();
  const { host } = fixture.microvm;
  const options = { host: "127.0.0.1", port: fixture.port, servername: host, ca: fixture.certificates.rootPem };
  const client = connect(`https://${host}`, {
    createConnection: () => connectTls({ ...options, ALPNProtocols: ["h2"] }),
  });
  onTestFinished(() => client.destroy());
  await new Promise((resolve) => client.once("remoteSettings", resolve));
  const stream = client.request({
    ":method": "CONNECT",
    ":protocol": "websocket",
    ":path": "/shell",
    ":authority": host,
    "sec-websocket-version": "13",
    "sec-websocket-protocol": protocols,
  });
  let text = "";
  stream.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  const headers = await new Promise<Record<string, unknown>>((resolve) => stream.once("response", resolve));
  expect(headers).toMatchObject({ ":status": 200, "sec-websocket-protocol": "lambda-microvms" });
  expect(headers["sec-websocket-accept"]).toBeUndefined();
  await vi.waitFor(() => expect(text).toContain("too many sessions"), 10_000);
});
