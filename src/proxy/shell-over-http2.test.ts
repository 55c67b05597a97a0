import { connect } from "node:http2";
import { connect as connectTls } from "node:tls";
import { expect, onTestFinished, test, vi } from "vitest";
import type { GuestLink } from "../guest-link/guest-link.ts";
import { managedConnectorArn } from "../model/connectors.ts";
import { useProxy } from "./proxy-fixture.ts";

test("a shell's WebSocket opens over HTTP/2 too, as browsers do where a connection is open already", async () => {
  const fixture = await useProxy();
  const { microvm } = fixture;
  microvm.ingressNetworkConnectors = [managedConnectorArn("us-east-1", "SHELL_INGRESS")];
  const session = (): Promise<unknown> => Promise.resolve({ refused: "agent-refused", reason: "too many sessions" });
  microvm.onAwake = () => Promise.resolve({ session } as unknown as GuestLink);
  const { host } = microvm;
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
    "sec-websocket-protocol": `lambda-microvms, lambda-microvms.authentication.${await fixture.token({ kind: "shell", ports: [] })}`,
  });
  let text = "";
  stream.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  const headers = await new Promise<Record<string, unknown>>((resolve) => stream.once("response", resolve));
  expect(headers).toMatchObject({ ":status": 200, "sec-websocket-protocol": "lambda-microvms" });
  expect(headers["sec-websocket-accept"]).toBeUndefined();
  await vi.waitFor(() => expect(text).toContain("too many sessions"), 10_000);
});
