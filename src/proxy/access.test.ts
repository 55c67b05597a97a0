import { createServer } from "node:http";
import { expect, test } from "vitest";
import { managedConnectorArn, type ManagedConnector } from "../model/connectors.ts";
import { type Answer, type ProxyFixture, useProxy, useServer } from "./proxy-fixture.ts";

const UNKNOWN_HOST = "0b0e3c1e-1111-4222-8333-444455556666.lambda-microvm.us-east-1.localhost";

async function useApp(fixture: ProxyFixture, ...ports: number[]): Promise<void> {
  const port = await useServer(createServer((request, response) => response.end(request.headers.host)));
  for (const guestPort of ports) fixture.microvm.ports.set(guestPort, port);
}

/** An answer of the proxy itself, as one comparable value. */
function proxyError(answer: Answer): unknown {
  const { "x-aws-proxy-error": error, "cache-control": cache, "x-amzn-requestid": id } = answer.headers;
  return { status: answer.status, body: answer.body, error, cache, hasId: /^[0-9a-f-]{36}$/.test(String(id)) };
}

function expected(status: number, body: string, error?: string): unknown {
  return { status, body, error, cache: "private, no-store", hasId: true };
}

test("a token lets a request in, on port 8080 unless the header names another", async () => {
  const fixture = await useProxy();
  const named = await useServer(createServer((_request, response) => response.end("named")));
  await useApp(fixture, 8080);
  fixture.microvm.ports.set(3000, named);
  expect(await fixture.send()).toMatchObject({ status: 200, body: fixture.microvm.host });
  expect((await fixture.send({ headers: { "X-AWS-Proxy-Port": "3000" } })).body).toBe("named");
});

test("no token, garbage and an expired token are all missing authentication", async () => {
  const fixture = await useProxy();
  await useApp(fixture, 8080);
  const expired = await fixture.token({ expiresAt: new Date(Date.now() - 1) });
  for (const token of [null, "garbage", "a.b.c.d.e", "x".repeat(9000), expired]) {
    expect(proxyError(await fixture.send({ token }))).toEqual(
      expected(403, "Request missing authentication", "UNAUTHORIZED"),
    );
  }
  const query = await fixture.send({ token: null, path: `/?X-aws-proxy-auth=${await fixture.token()}` });
  expect(proxyError(query)).toEqual(expected(403, "Request missing authentication", "UNAUTHORIZED"));
  expect(fixture.microvm.wakes).toBe(0);
});

test("a genuine token of another microVM fails alike at a host that exists and at one that does not", async () => {
  const fixture = await useProxy();
  const other = fixture.addMicrovm();
  const token = await fixture.token({ microvmId: other.microvmId });
  expect(proxyError(await fixture.send({ token }))).toEqual(
    expected(403, "Token authentication failed", "UNAUTHORIZED"),
  );
  const unknown = await fixture.send({ token, servername: UNKNOWN_HOST, headers: { host: UNKNOWN_HOST } });
  expect(proxyError(unknown)).toEqual(expected(403, "Token authentication failed", "UNAUTHORIZED"));
  expect(fixture.microvm.wakes + other.wakes).toBe(0);
});

test("an unknown host with a dummy token says nothing of the host", async () => {
  const fixture = await useProxy();
  const answer = await fixture.send({ token: "dummy", servername: UNKNOWN_HOST, headers: { host: UNKNOWN_HOST } });
  expect(proxyError(answer)).toEqual(expected(403, "Request missing authentication", "UNAUTHORIZED"));
});

test("server name and Host must be the same microVM", async () => {
  const fixture = await useProxy();
  await useApp(fixture, 8080);
  const other = fixture.addMicrovm();
  for (const options of [
    { headers: { host: "cdn.example.com" } },
    { headers: { host: other.host } },
    { servername: other.host },
    { servername: "cdn.example.com", rejectUnauthorized: false },
    { headers: { host: `${fixture.microvm.host}.evil.com` } },
    { headers: { host: `user@${fixture.microvm.host}` } },
    { headers: { host: `${fixture.microvm.label}.lambda-microvm.nowhere.localhost` } },
  ]) {
    expect(proxyError(await fixture.send(options))).toEqual(
      expected(403, "Token authentication failed", "UNAUTHORIZED"),
    );
  }
  expect(fixture.microvm.wakes + other.wakes).toBe(0);
});

test("Host may carry a port and capital letters, and reaches the application as sent", async () => {
  const fixture = await useProxy();
  await useApp(fixture, 8080);
  const host = `${fixture.microvm.host.toUpperCase()}:${fixture.port}`;
  expect(await fixture.send({ headers: { host } })).toMatchObject({ status: 200, body: host });
});

test("a port outside the token's scope is denied, and denied requests wake nothing", async () => {
  const fixture = await useProxy();
  await useApp(fixture, 8080, 9005);
  const token = await fixture.token({ ports: [{ port: 3000 }, { range: { startPort: 9000, endPort: 9010 } }] });
  for (const port of ["8080", "8999", "9011"]) {
    const answer = await fixture.send({ token, headers: { "x-aws-proxy-port": port } });
    expect(proxyError(answer)).toEqual(expected(403, "Access to port denied", "UNAUTHORIZED"));
  }
  expect(proxyError(await fixture.send({ token }))).toEqual(expected(403, "Access to port denied", "UNAUTHORIZED"));
  expect(fixture.microvm.wakes).toBe(0);
  expect((await fixture.send({ token, headers: { "x-aws-proxy-port": "9005" } })).status).toBe(200);
});

test.each(["0", "65536", "-1", "80a", "", "0x50", "8e3", "08080", "8080, 8080", "99999999999999999999"])(
  "the port header %j is malformed",
  async (port) => {
    const fixture = await useProxy();
    expect((await fixture.send({ headers: { "x-aws-proxy-port": port } })).status).toBe(400);
    expect(fixture.microvm.wakes).toBe(0);
  },
);

test.each<[ManagedConnector[], number]>([
  [["NO_INGRESS"], 403],
  [["SHELL_INGRESS"], 403],
  [["HTTP_INGRESS", "NO_INGRESS"], 403],
  [["HTTP_INGRESS"], 200],
  [["ALL_INGRESS"], 200],
  [["HTTP_INGRESS", "SHELL_INGRESS"], 200],
  [[], 200],
])("connectors %j answer %i", async (names, status) => {
  const fixture = await useProxy();
  await useApp(fixture, 8080);
  fixture.microvm.ingressNetworkConnectors = names.map((name) => managedConnectorArn("us-east-1", name));
  const answer = await fixture.send();
  expect(answer.status).toBe(status);
  expect(answer.headers["x-aws-proxy-error"]).toBe(status === 403 ? "UNAUTHORIZED" : undefined);
});

test("a shell token on plain HTTPS is an empty 502 and wakes nothing", async () => {
  const fixture = await useProxy();
  const token = await fixture.token({ kind: "shell", ports: [] });
  expect(proxyError(await fixture.send({ token }))).toEqual(expected(502, ""));
  expect(fixture.microvm.wakes).toBe(0);
});

test("a port on which nothing listens is APP_CONNECT_FAILED", async () => {
  const fixture = await useProxy();
  const answer = await fixture.send({ headers: { "x-aws-proxy-port": "81" } });
  expect(proxyError(answer)).toEqual(
    expected(502, "Nothing listens on the port 81 of the MicroVM", "APP_CONNECT_FAILED"),
  );
});

test("a token that expires while its response streams does not end the stream", async () => {
  let now = Date.now();
  const fixture = await useProxy({ now: () => now });
  const app = createServer((_request, response) => {
    response.write("begin ");
    now += 3_600_000;
    setImmediate(() => response.end("end"));
  });
  fixture.microvm.ports.set(8080, await useServer(app));
  const token = await fixture.token();
  expect((await fixture.send({ token })).body).toBe("begin end");
  expect(proxyError(await fixture.send({ token }))).toEqual(
    expected(403, "Request missing authentication", "UNAUTHORIZED"),
  );
});
