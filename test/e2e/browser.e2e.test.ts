import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect, onTestFinished, test } from "vitest";
import { AwsCli } from "../support/aws.ts";
import { useBrowser } from "../support/browser.ts";
import { newCatnapServer } from "../support/catnap-server.ts";
import { eventually } from "../support/eventually.ts";
import { CATNAP, mustRun, PROJECT } from "../support/project.ts";
import { buildApp, microvmBecomes } from "../support/walkthrough.ts";

const REGION = "us-east-1";
const IDLE_POLICY = '{"maxIdleDurationSeconds":900,"suspendedDurationSeconds":600,"autoResumeEnabled":true}';

interface Microvm {
  readonly microvmId: string;
  readonly endpoint: string;
}

async function useWorkshop() {
  const server = await newCatnapServer();
  onTestFinished(() => server.dispose());
  await server.start();
  const aws = await AwsCli.open(server.clientEnv);
  onTestFinished(() => aws.dispose());
  const { imageArn } = await buildApp(aws, { app: "webapp", imageName: "workshop", region: REGION });
  const api = (...args: string[]) => aws.run("lambda-microvms", ...args, "--region", REGION);
  const run = async (...ingress: string[]): Promise<Microvm> => {
    const connectors = ingress.map(
      (name) => `arn:aws:lambda:${REGION}:aws:network-connector:aws-network-connector:${name}`,
    );
    const common = ["run-microvm", "--image-identifier", imageArn, "--idle-policy", IDLE_POLICY];
    const microvm = JSON.parse(await api(...common, "--ingress-network-connectors", ...connectors)) as Microvm;
    await microvmBecomes(aws, microvm.microvmId, "RUNNING");
    return microvm;
  };
  const link = async ({ microvmId }: Microvm) =>
    (await mustRun(CATNAP, ["open", microvmId], { env: { CATNAP_HOME: server.home } })).trim();
  const browse = ({ endpoint }: Microvm) =>
    useBrowser({ rootFile: join(server.home, "tls/ca.pem"), port: Number(endpoint.split(":")[1]) });
  const mint = async ({ microvmId }: Microvm) => {
    const scope = ["--allowed-ports", '[{"port":8080},{"port":81}]', "--expiration-in-minutes", "5"];
    const query = ["--query", 'authToken."X-aws-proxy-auth"', "--output", "text"];
    return await api("create-microvm-auth-token", "--microvm-identifier", microvmId, ...scope, ...query);
  };
  const python = async (orders: readonly object[]) => {
    const ca = server.clientEnv()["AWS_CA_BUNDLE"];
    const input = JSON.stringify(orders.map((order) => ({ ca, ...order })));
    const [program, script] = [".cache/python-clients/bin/python", "test/support/python-websocket.py"];
    return JSON.parse(await mustRun(join(PROJECT, program), [join(PROJECT, script)], { input })) as object[];
  };
  return { aws, api, run, link, mint, python, browse };
}

/** What an element of the page shows, once it shows what is wanted. */
async function shows(page: Page, id: string, wanted: RegExp): Promise<string> {
  return await eventually<string>(`#${id} shows ${wanted}`, 60_000, async () => {
    const text = (await page.textContent(`#${id}`)) ?? "";
    return wanted.test(text) ? { done: text } : { saw: text };
  });
}

/** The status of a request that a page of the endpoint makes. */
function asks(page: Page, path: string, headers: Record<string, string>): Promise<number> {
  return page.evaluate(
    async (given) => (await fetch(given.path, { headers: given.headers, cache: "no-store" })).status,
    {
      path,
      headers,
    },
  );
}

/** In a page: what a WebSocket with these subprotocols comes to. */
const TRY_WEBSOCKET = `([url, protocols]) => new Promise((resolve) => {
  const socket = new WebSocket(url, protocols);
  socket.addEventListener("open", () => socket.send("hello"));
  socket.addEventListener("message", ({ data }) => resolve({ protocol: socket.protocol, text: data }));
  socket.addEventListener("close", ({ code }) => resolve({ closed: code }));
})`;

test("a link opens an app in Chromium: page, assets, events, WebSocket and uploads, through a sleep, for one browser", async () => {
  const { aws, api, run, link, mint, python, browse } = await useWorkshop();
  const microvm = await run("HTTP_INGRESS");
  const browser = await browse(microvm);
  const origin = `https://${microvm.endpoint}`;
  const url = await link(microvm);
  const person = await browser.newContext();
  const page = await person.newPage();
  await page.goto(url);
  expect(page.url()).toBe(`${origin}/`);
  expect(await page.title()).toBe("Workshop");
  expect(await page.evaluate("getComputedStyle(document.querySelector('h1')).color")).toBe("rgb(1, 2, 3)");
  expect(await page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol")).toBe("h2");
  await shows(page, "events", /^([3-9]|\d\d)/);
  await shows(page, "socket", /^echo over chat$/);
  await shows(page, "binary", /^255 254 1 0$/);
  await shows(page, "upload", /^\[1000000,"own=kept"\]$/); // the application sees its own cookie alone

  const host = microvm.endpoint.split(":")[0];
  const cookies = await person.cookies();
  const ours = cookies.find(({ name }) => name === "__Host-catnap");
  expect(ours).toMatchObject({ domain: host, path: "/", secure: true, httpOnly: true, sameSite: "Lax" });
  expect(await page.evaluate("document.cookie")).toBe("own=kept");
  expect(await asks(page, "/page.css", { "x-aws-proxy-port": "8080" })).toBe(200);
  expect(await asks(page, "/page.css", { "x-aws-proxy-port": "3000" })).toBe(403);

  // The link is used up, and what it opened is this browser's alone.
  const stranger = await (await browser.newContext()).newPage();
  const second = await stranger.goto(url);
  expect(second?.status()).toBe(403);
  expect(await stranger.textContent("body")).toMatch(/opened before.*catnap open MICROVM_ID/);
  const uninvited = await stranger.goto(`${origin}/`);
  expect(uninvited?.status()).toBe(403);
  expect(await stranger.textContent("body")).toMatch(/missing authentication.*catnap open MICROVM_ID/);

  // A page of anywhere, and a program, with a token among the subprotocols: the application sees none of the three.
  const token = `lambda-microvms.authentication.${await mint(microvm)}`;
  const url8080 = `wss://${microvm.endpoint}/ws`;
  const elsewhere = await (await browser.newContext()).newPage();
  const orders: readonly [string[], object, object][] = [
    [["lambda-microvms", token, "lambda-microvms.port.8080", "chat"], { protocol: "chat" }, { protocol: "chat" }],
    [["lambda-microvms", token], { protocol: "lambda-microvms" }, { protocol: "lambda-microvms" }],
    [[token], { closed: 1006 }, { status: 400, body: /lambda-microvms is missing/ }],
    [["lambda-microvms"], { closed: 1006 }, { status: 403, body: /^Request missing authentication$/ }],
    [
      ["lambda-microvms", token, "lambda-microvms.port.3000"],
      { closed: 1006 },
      { status: 403, body: /^Access to port denied$/ },
    ],
    [
      ["lambda-microvms", token, "lambda-microvms.port.81"],
      { closed: 1006 },
      { status: 502, body: /^Nothing listens on the port 81/ },
    ],
  ];
  const echoed = { text: "echo hello", binary: [255, 2, 1] };
  const fromPython = await python(orders.map(([protocols]) => ({ url: url8080, protocols })));
  for (const [index, [protocols, seen, answered]] of orders.entries()) {
    const inPage = await elsewhere.evaluate<object>(`(${TRY_WEBSOCKET})(${JSON.stringify([url8080, protocols])})`);
    expect(inPage).toEqual("closed" in seen ? seen : { ...seen, text: "echo hello" });
    const expected =
      "body" in answered ? { ...answered, body: expect.stringMatching(answered.body as RegExp) } : answered;
    expect(fromPython[index]).toEqual("body" in answered ? expected : { ...expected, ...echoed });
  }
  const headers = { "x-aws-proxy-auth": token.replace(/^.*authentication\./, ""), "x-aws-proxy-port": "8080" };
  expect(await python([{ url: url8080, headers }])).toEqual([{ protocol: null, ...echoed }]);

  // A sleep ends the WebSocket; the page's events wake the microVM and go on where they were.
  await api("suspend-microvm", "--microvm-identifier", microvm.microvmId);
  await shows(page, "socket", /^closed 1006$/);
  const before = Number(await page.textContent("#events"));
  await eventually("events go on", 60_000, async () => {
    const now = Number(await page.textContent("#events"));
    return now > before + 2 ? { done: now } : { saw: String(now) };
  });
  await microvmBecomes(aws, microvm.microvmId, "RUNNING");
  await page.reload();
  await shows(page, "socket", /^echo over chat$/);

  // Another microVM is another host: no cookie goes there. Its public port is for everybody.
  const shop = await run("HTTP_INGRESS", "PUBLIC_INGRESS_3000");
  const visitor = await (await browser.newContext()).newPage();
  expect((await visitor.goto(`https://${shop.endpoint}/a`))?.status()).toBe(200);
  expect(await visitor.textContent("body")).toBe("for everybody/a");
  expect(await asks(visitor, "/", { "x-aws-proxy-port": "8080" })).toBe(403);
  const tab = await person.newPage();
  const [request] = await Promise.all([tab.waitForRequest(/\/b$/), tab.goto(`https://${shop.endpoint}/b`)]);
  expect(await request.allHeaders()).not.toHaveProperty("cookie");
});
