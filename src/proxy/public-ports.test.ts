import { createServer } from "node:http";
import { connect } from "node:tls";
import { expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { managedConnectorArn, type ManagedConnector } from "../model/connectors.ts";
import { type ProxyFixture, readAll, useProxy, useServer } from "./proxy-fixture.ts";

/** Applications on 8080, 3000 and 3001 that tell their port and the token they were sent. */
async function usePublic(...connectors: string[]): Promise<ProxyFixture> {
  const fixture = await useProxy();
  for (const port of [8080, 3000, 3001]) {
    const app = createServer(({ headers }, response) =>
      response.end(`${port} ${String(headers["x-aws-proxy-auth"] ?? headers.cookie ?? "nothing")}`),
    );
    new WebSocketServer({ server: app }).on("connection", (socket) => socket.send(String(port)));
    fixture.microvm.ports.set(port, await useServer(app));
  }
  fixture.microvm.ingressNetworkConnectors = connectors.map((name) =>
    managedConnectorArn("us-east-1", name as ManagedConnector),
  );
  return fixture;
}

const port = (number: number) => ({ headers: { "x-aws-proxy-port": String(number) } });

test("a public port needs no token, and no other port becomes public by it", async () => {
  const fixture = await usePublic("HTTP_INGRESS", "PUBLIC_INGRESS_3000");
  expect(await fixture.send({ token: null, ...port(3000) })).toMatchObject({ status: 200, body: "3000 nothing" });
  expect(await fixture.send({ token: null, ...port(8080) })).toMatchObject({
    status: 403,
    body: "Request missing authentication",
  });
  expect((await fixture.send(port(8080))).body).toBe("8080 nothing");
  expect((await fixture.send(port(3000))).body).toBe("3000 nothing");
});

test("a token that opens nothing does not close a public port, and reaches nobody", async () => {
  const fixture = await usePublic("HTTP_INGRESS", "PUBLIC_INGRESS_3000");
  const stranger = await fixture.token({ microvmId: "microvm-other" });
  const narrow = await fixture.token({ ports: [{ port: 8080 }] });
  const expired = await fixture.token({ expiresAt: new Date(0) });
  for (const token of ["nonsense", stranger, narrow, expired])
    expect(await fixture.send({ token, ...port(3000) })).toMatchObject({ status: 200, body: "3000 nothing" });
  const headers = { cookie: "__Host-catnap=old; own=1", "sec-fetch-site": "cross-site", ...port(3000).headers };
  expect(await fixture.send({ token: null, headers })).toMatchObject({ status: 200, body: "3000 own=1" });
});

test("a visit that names no port gets the only public one, else the default", async () => {
  const one = await usePublic("PUBLIC_INGRESS_3000");
  expect((await one.send({ token: null })).body).toBe("3000 nothing");
  const two = await usePublic("PUBLIC_INGRESS_3000", "PUBLIC_INGRESS_3001");
  expect((await two.send({ token: null })).status).toBe(403);
  const three = await usePublic("PUBLIC_INGRESS_3000", "PUBLIC_INGRESS_8080");
  expect((await three.send({ token: null })).body).toBe("8080 nothing");
});

test("a public port alone lets tokens through to itself and nowhere else", async () => {
  const fixture = await usePublic("PUBLIC_INGRESS_3000");
  expect((await fixture.send(port(3000))).status).toBe(200);
  expect(await fixture.send(port(8080))).toMatchObject({ status: 403, body: "Access to port denied" });
});

test("a browser's cookie for one port is stronger than another port that is public", async () => {
  const fixture = await usePublic("HTTP_INGRESS", "PUBLIC_INGRESS_3000");
  const value = await fixture.token({ kind: "browser", ports: [{ port: 8080 }] });
  expect((await fixture.send({ token: null, headers: { cookie: `__Host-catnap=${value}` } })).body).toBe(
    "8080 nothing",
  );
});

test("nobody makes links without a token, not even to a public port", async () => {
  const fixture = await usePublic("PUBLIC_INGRESS_3000");
  const link = { method: "POST", path: "/.well-known/catnap/link" };
  expect((await fixture.send({ ...link, token: null })).status).toBe(403);
  expect((await fixture.send({ ...link, ...port(3000) })).status).toBe(201);
});

test("a page's WebSocket reaches a public port without subprotocols, or with the port's alone", async () => {
  const fixture = await usePublic("PUBLIC_INGRESS_3000", "PUBLIC_INGRESS_3001");
  const open = (protocols: string[], headers: Record<string, string>) =>
    new Promise<string>((resolve, reject) => {
      const socket = new WebSocket(`wss://127.0.0.1:${fixture.port}/`, protocols, {
        ca: fixture.certificates.rootPem,
        createConnection: (options: object) =>
          connect({ ...options, host: "127.0.0.1", port: fixture.port, servername: fixture.microvm.host }),
        headers: { host: fixture.microvm.host, ...headers },
      });
      socket.once("message", (data) => resolve((data as Buffer).toString())).once("error", reject);
    });
  expect(await open([], { "x-aws-proxy-port": "3000" })).toBe("3000");
  expect(await open(["lambda-microvms", "lambda-microvms.port.3001"], {})).toBe("3001");
});

test("SNI and Host must still name the same microVM", async () => {
  const fixture = await usePublic("PUBLIC_INGRESS_3000");
  const socket = await fixture.tls({ servername: fixture.addMicrovm().host });
  socket.write(`GET / HTTP/1.1\r\nHost: ${fixture.microvm.host}\r\nConnection: close\r\n\r\n`);
  expect(await readAll(socket)).toMatch(/^HTTP\/1.1 403 /);
});
