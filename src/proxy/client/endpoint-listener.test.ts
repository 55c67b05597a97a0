import { execFile } from "node:child_process";
import { createServer as createHttpServer } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { createServer, type AddressInfo } from "node:net";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { expect, onTestFinished, test, vi } from "vitest";
import { type ProxyFixture, useProxy, useServer } from "../proxy-fixture.ts";

const run = promisify(execFile);

async function useApp(fixture: ProxyFixture): Promise<void> {
  fixture.microvm.ports.set(8080, await useServer(createHttpServer((_request, response) => response.end("hello"))));
}

async function secure(options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connect(options);
  onTestFinished(() => void socket.destroy());
  await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
  return socket;
}

test("curl reaches an endpoint with nothing but our root", async () => {
  const fixture = await useProxy();
  await useApp(fixture);
  const { host } = fixture.microvm;
  const common = [
    "-sS",
    "--noproxy",
    "*",
    "--max-time",
    "30",
    "-H",
    `X-aws-proxy-auth: ${await fixture.token()}`,
    `https://${host}:${fixture.port}/`,
  ];
  for (const roots of [fixture.certificates.rootFile, fixture.certificates.bundleFile]) {
    // curl resolves *.localhost itself, to both loopback addresses.
    expect((await run("curl", ["--cacert", roots, ...common])).stdout).toBe("hello");
    const resolved = ["--resolve", `${host}:${fixture.port}:127.0.0.1`];
    expect((await run("curl", ["--cacert", roots, ...resolved, ...common])).stdout).toBe("hello");
  }
});

test.each(["127.0.0.1", "::1"])("the listener answers on %s", async (host) => {
  const { port, certificates, microvm } = await useProxy();
  const socket = await secure({
    host,
    port,
    servername: microvm.host,
    ca: certificates.rootPem,
    ALPNProtocols: ["h2", "http/1.1"],
  });
  expect(socket.authorized).toBe(true);
  expect(socket.alpnProtocol).toBe("h2");
});

test("TLS 1.2 and 1.3 are spoken, older versions are not", async () => {
  const { port, certificates, microvm } = await useProxy();
  const options = { host: "127.0.0.1", port, servername: microvm.host, ca: certificates.rootPem };
  expect((await secure(options)).getProtocol()).toBe("TLSv1.3");
  expect((await secure({ ...options, maxVersion: "TLSv1.2" })).getProtocol()).toBe("TLSv1.2");
  await expect(
    secure({ ...options, minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT:@SECLEVEL=0" }),
  ).rejects.toThrow(/version|protocol|no ciphers|unsupported/i);
});

test("a client without a server name gets no certificate", async () => {
  const { port, certificates } = await useProxy();
  await expect(secure({ host: "127.0.0.1", port, ca: certificates.rootPem })).rejects.toThrow(/handshake/);
});

test("a session of one name does not carry over to another", async () => {
  const fixture = await useProxy();
  const other = fixture.addMicrovm();
  const options = {
    host: "127.0.0.1",
    port: fixture.port,
    ca: fixture.certificates.rootPem,
    maxVersion: "TLSv1.2" as const,
  };
  const first = connect({ ...options, servername: other.host });
  onTestFinished(() => void first.destroy());
  const session = await new Promise<Buffer>((resolve) => first.once("session", resolve));
  const second = await secure({ ...options, servername: fixture.microvm.host, session });
  second.write(
    `GET / HTTP/1.1\r\nHost: ${other.host}\r\nX-aws-proxy-auth: ${await fixture.token({ microvmId: other.microvmId })}\r\nConnection: close\r\n\r\n`,
  );
  let text = "";
  second.on("data", (chunk: Buffer) => (text += chunk.toString()));
  await vi.waitFor(() => expect(text).toMatch(/^HTTP\/1.1 403 /));
});

test("a taken port is an error that names the setting", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const config = { bind: "127.0.0.1", endpointPort: port, domain: "localhost", region: "us-east-1" };
  await expect(useProxy({ config })).rejects.toThrow(
    `Port ${port} of 127.0.0.1 is taken by another program; stop it, or set CATNAP_ENDPOINT_PORT`,
  );
});

test("closing lets nothing go on, not even open streams", async () => {
  const fixture = await useProxy();
  fixture.microvm.ports.set(
    8080,
    await useServer(createHttpServer((_request, response) => response.write("and so on"))),
  );
  const socket = await fixture.tls();
  socket.on("error", () => {});
  socket.write(`GET / HTTP/1.1\r\nHost: ${fixture.microvm.host}\r\nX-aws-proxy-auth: ${await fixture.token()}\r\n\r\n`);
  await new Promise((resolve) => socket.once("data", resolve));
  await fixture.proxy.close();
  await vi.waitFor(() => expect(socket.destroyed).toBe(true));
  expect(fixture.microvm.streams.every((stream) => stream.destroyed)).toBe(true);
  expect(fixture.microvm.downListeners).toBe(0);
  await expect(fixture.tls()).rejects.toThrow(/ECONNREFUSED/);
});

test("closing ends WebSockets and HTTP/2 connections too", async () => {
  const fixture = await useProxy();
  const app = createHttpServer((_request, response) => response.write("and so on"));
  app.on("upgrade", (_request, socket) => {
    socket.on("error", () => {});
    socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n");
  });
  fixture.microvm.ports.set(8080, await useServer(app));
  const { host } = fixture.microvm;
  const token = await fixture.token();
  const socket = await fixture.tls();
  socket.on("error", () => {});
  socket.write(
    `GET / HTTP/1.1\r\nHost: ${host}\r\nX-aws-proxy-auth: ${token}\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n`,
  );
  await new Promise((resolve) => socket.once("data", resolve));
  const options = { host: "127.0.0.1", port: fixture.port, servername: host, ca: fixture.certificates.rootPem };
  const session = connectHttp2(`https://${host}`, {
    createConnection: () => connect({ ...options, ALPNProtocols: ["h2"] }),
  });
  session.on("error", () => {});
  onTestFinished(() => session.destroy());
  const stream = session.request({ "x-aws-proxy-auth": token });
  stream.on("error", () => {});
  await new Promise((resolve) => stream.once("data", resolve));
  await fixture.proxy.close();
  await vi.waitFor(() => expect([socket.destroyed, session.destroyed]).toEqual([true, true]));
  expect(fixture.microvm.streams.every((one) => one.destroyed)).toBe(true);
});
