import { createServer } from "node:http";
import { expect, test } from "vitest";
import { type ProxyFixture, type SendOptions, readAll, useProxy, useServer } from "./proxy-fixture.ts";

const LINK = "/.well-known/catnap/link";

async function useApp(overrides: Parameters<typeof useProxy>[0] = {}): Promise<ProxyFixture> {
  const fixture = await useProxy(overrides);
  for (const port of [8080, 3000]) {
    const app = createServer((request, response) => {
      response.setHeader("set-cookie", ["own=1", "__Host-catnap=forged; Path=/; Secure"]);
      response.end(`${port} ${request.url} ${request.headers.cookie ?? "no cookie"}`);
    });
    app.on("upgrade", (_request, socket) =>
      socket.end("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nhello"),
    );
    fixture.microvm.ports.set(port, await useServer(app));
  }
  return fixture;
}

async function makeLink(fixture: ProxyFixture, options: SendOptions = {}): Promise<string> {
  const answer = await fixture.send({ method: "POST", path: LINK, ...options });
  expect(answer.status).toBe(201);
  return (JSON.parse(answer.body) as { path: string }).path;
}

/** Opens a link as a browser does, and gives the cookie back. */
async function openLink(fixture: ProxyFixture, path: string): Promise<string> {
  const answer = await fixture.send({ token: null, path });
  expect(answer).toMatchObject({ status: 303, headers: { location: "/", "cache-control": "private, no-store" } });
  const cookie = answer.headers["set-cookie"]?.[0] ?? "";
  expect(cookie).toMatch(/^__Host-catnap=[\w.-]+; Path=\/; Max-Age=28800; Secure; HttpOnly; SameSite=Lax$/);
  return cookie.split(";")[0] ?? "";
}

test("a link opens one port of one microVM in a browser, and only once", async () => {
  const fixture = await useApp();
  const path = await makeLink(fixture, { headers: { "x-aws-proxy-port": "3000" } });
  expect(path).not.toContain(await fixture.token());
  expect(fixture.microvm.wakes).toBe(0);
  const cookie = await openLink(fixture, path);
  const page = await fixture.send({ token: null, path: "/page", headers: { cookie: `a=1; ${cookie}; b=2` } });
  expect(page).toMatchObject({ status: 200, body: "3000 /page a=1; b=2" });
  expect(page.headers["set-cookie"]).toEqual(["own=1"]);
  expect(await fixture.send({ token: null, path })).toMatchObject({
    status: 403,
    body: "This link was opened before, or has expired. Make a new one: catnap open MICROVM_ID",
  });
  const elsewhere = await fixture.send({ token: null, headers: { cookie, "x-aws-proxy-port": "8080" } });
  expect(elsewhere).toMatchObject({ status: 403, body: "Access to port denied" });
});

test("a link needs a token for the port, and a cookie or a shell token makes none", async () => {
  const fixture = await useApp();
  expect((await fixture.send({ method: "POST", path: LINK, token: null })).status).toBe(403);
  const narrow = await fixture.token({ ports: [{ port: 81 }] });
  expect((await fixture.send({ method: "POST", path: LINK, token: narrow })).status).toBe(403);
  const shell = await fixture.token({ kind: "shell", ports: [] });
  expect((await fixture.send({ method: "POST", path: LINK, token: shell })).status).toBe(502);
  const cookie = await openLink(fixture, await makeLink(fixture));
  expect((await fixture.send({ method: "POST", path: LINK, token: null, headers: { cookie } })).status).toBe(403);
  expect((await fixture.send({ path: LINK })).status).toBe(405);
});

test("a link of one microVM opens nothing at another, and is not used up there", async () => {
  const fixture = await useApp();
  const other = fixture.addMicrovm();
  const path = await makeLink(fixture);
  expect((await fixture.send({ token: null, path, to: other })).status).toBe(403);
  expect((await fixture.send({ token: null, path: "/.well-known/catnap/open/guess" })).status).toBe(403);
  expect((await fixture.send({ token: null, path, method: "HEAD" })).status).toBe(405);
  expect((await fixture.send({ token: null, path, headers: { "sec-purpose": "prefetch" } })).status).toBe(503);
  const cookie = await openLink(fixture, path);
  expect((await fixture.send({ token: null, to: other, headers: { cookie } })).body).toBe(
    "Token authentication failed",
  );
});

test("a link expires after two minutes, and a cookie after eight hours", async () => {
  let now = Date.now();
  const fixture = await useApp({ now: () => now });
  const [late, used] = [await makeLink(fixture), await makeLink(fixture)];
  const cookie = await openLink(fixture, used);
  now += 2 * 60_000;
  expect((await fixture.send({ token: null, path: late })).status).toBe(403);
  expect((await fixture.send({ token: null, headers: { cookie } })).status).toBe(200);
  now += 8 * 3_600_000;
  expect((await fixture.send({ token: null, headers: { cookie } })).body).toBe("Request missing authentication");
});

test("a person who is refused reads what to do, and a program the service's words", async () => {
  let now = Date.now();
  const fixture = await useApp({ now: () => now });
  const visit = { "sec-fetch-dest": "document", "sec-fetch-mode": "navigate", "sec-fetch-site": "none" };
  const cookie = await openLink(fixture, await makeLink(fixture));
  now += 8 * 3_600_000;
  const page = await fixture.send({ token: null, headers: { cookie, ...visit } });
  expect(page).toMatchObject({
    status: 403,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "x-aws-proxy-error": "UNAUTHORIZED",
      "cache-control": "private, no-store",
    },
    body: expect.stringMatching(/Request missing authentication.*catnap open MICROVM_ID/s),
  });
  expect((await fixture.send({ token: null, headers: { cookie } })).body).toBe("Request missing authentication");
  const token = await fixture.token({ expiresAt: new Date(now + 60_000) });
  const port = await fixture.send({ token, headers: { ...visit, "x-aws-proxy-port": "81" } });
  expect(port).toMatchObject({ status: 502, body: expect.stringContaining("--port PORT") });
});

test("what a cookie carries is no token, and a token is no cookie", async () => {
  const fixture = await useApp();
  const value = (await openLink(fixture, await makeLink(fixture))).split("=")[1] ?? "";
  expect((await fixture.send({ token: value })).body).toBe("Request missing authentication");
  const cookie = `__Host-catnap=${await fixture.token()}`;
  expect((await fixture.send({ token: null, headers: { cookie } })).body).toBe("Request missing authentication");
});

test.each<[string, Record<string, string>, number]>([
  ["a visit typed in", { "sec-fetch-site": "none", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" }, 200],
  [
    "a link elsewhere",
    { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" },
    200,
  ],
  ["its own page", { "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty" }, 200],
  ["its own origin", { origin: "https://$HOST" }, 200],
  [
    "a page of another microVM",
    { "sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "script" },
    403,
  ],
  [
    "a frame of another page",
    { "sec-fetch-site": "same-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" },
    403,
  ],
  ["another origin", { origin: "https://evil.localhost" }, 403],
  ["an origin that hides", { origin: "null" }, 403],
  ["its own host without TLS", { origin: "http://$HOST" }, 403],
])("a cookie with a request of %s", async (_what, given, status) => {
  const fixture = await useApp();
  const cookie = await openLink(fixture, await makeLink(fixture));
  const headers = Object.fromEntries(
    Object.entries(given).map(([name, value]) => [name, value.replace("$HOST", fixture.microvm.host)]),
  );
  expect((await fixture.send({ token: null, headers: { cookie, ...headers } })).status).toBe(status);
});

test("a WebSocket passes with the cookie from the endpoint's own pages alone", async () => {
  const fixture = await useApp();
  const cookie = await openLink(fixture, await makeLink(fixture));
  for (const [origin, status] of [
    [fixture.microvm.host, 101],
    ["other.localhost", 403],
  ]) {
    const socket = await fixture.tls();
    socket.write(
      `GET / HTTP/1.1\r\nHost: ${fixture.microvm.host}\r\nCookie: ${cookie}\r\nOrigin: https://${origin}\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n`,
    );
    expect(await readAll(socket)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  }
});

test("without origins allowed nothing is said of them; preflights need a token like everything", async () => {
  const fixture = await useApp();
  const headers = { origin: "https://a.example", "access-control-request-method": "GET" };
  const answer = await fixture.send({ method: "OPTIONS", token: null, headers });
  expect(answer.status).toBe(403);
  expect(answer.headers["access-control-allow-origin"]).toBeUndefined();
});

test("pages of allowed origins may call with a token in a header", async () => {
  const config = {
    bind: "127.0.0.1",
    endpointPort: 0,
    domain: "localhost",
    region: "us-east-1",
    corsOrigins: "https://a.example",
  };
  const fixture = await useApp({ config });
  const origin = "https://a.example";
  const asked = { "access-control-request-method": "PUT", "access-control-request-headers": "x-aws-proxy-auth, x-own" };
  expect(await fixture.send({ method: "OPTIONS", token: null, headers: { origin, ...asked } })).toMatchObject({
    status: 204,
    headers: {
      "access-control-allow-origin": origin,
      "access-control-allow-methods": "PUT",
      "access-control-allow-headers": "x-aws-proxy-auth, x-own",
    },
  });
  expect(fixture.microvm.wakes).toBe(0);
  const answer = await fixture.send({ headers: { origin } });
  expect(answer).toMatchObject({ status: 200, headers: { "access-control-allow-origin": origin, vary: "Origin" } });
  expect(answer.headers["access-control-allow-credentials"]).toBeUndefined();
  const refused = await fixture.send({ token: "bad", headers: { origin } });
  expect(refused).toMatchObject({ status: 403, headers: { "access-control-allow-origin": origin } });
  const other = await fixture.send({
    method: "OPTIONS",
    token: null,
    headers: { ...asked, origin: "https://b.example" },
  });
  expect(other.status).toBe(403);
});
