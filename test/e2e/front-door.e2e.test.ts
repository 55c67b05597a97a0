import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { AwsCli } from "../support/aws.ts";
import { newCatnapServer } from "../support/catnap-server.ts";
import { eventually } from "../support/eventually.ts";
import { CATNAP, mustRun, runProgram } from "../support/project.ts";
import { buildApp, microvmBecomes } from "../support/walkthrough.ts";

const REGION = "us-east-1";
const LIMIT_MS = 120_000;
const IDLE_POLICY = '{"maxIdleDurationSeconds":900,"suspendedDurationSeconds":600,"autoResumeEnabled":true}';

async function useMicrovm() {
  const server = await newCatnapServer({
    CATNAP_METRICS_PORT: "0",
    CATNAP_ACCESS_LOG: "on",
    CATNAP_ENDPOINT_LIMITS: "service",
  });
  onTestFinished(() => server.dispose());
  await server.start();
  const aws = await AwsCli.open(server.clientEnv);
  onTestFinished(() => aws.dispose());
  const { imageArn } = await buildApp(aws, { app: "counter", imageName: "front-door", region: REGION });
  const microvm = (...args: string[]) => aws.run("lambda-microvms", ...args, "--region", REGION);
  const { microvmId, endpoint } = JSON.parse(
    await microvm("run-microvm", "--image-identifier", imageArn, "--idle-policy", IDLE_POLICY),
  ) as Record<"microvmId" | "endpoint", string>;
  await microvmBecomes(aws, microvmId, "RUNNING");
  const scope = ["--allowed-ports", '[{"allPorts":{}}]', "--expiration-in-minutes", "5"];
  const query = ["--query", 'authToken."X-aws-proxy-auth"', "--output", "text"];
  const token = await microvm("create-microvm-auth-token", "--microvm-identifier", microvmId, ...scope, ...query);
  const common = ["-sS", "--noproxy", "*", "--max-time", "60", "--cacert", server.clientEnv()["AWS_CA_BUNDLE"] ?? ""];
  const curl = (...args: string[]) => mustRun("curl", [...common, ...args]);
  const log = async (): Promise<string> => {
    const names = (await readdir(server.home)).filter((name) => name.endsWith(".log"));
    return (await Promise.all(names.map((name) => readFile(join(server.home, name), "utf8")))).join("\n");
  };
  return { aws, home: server.home, microvm, microvmId, url: `https://${endpoint}`, token, curl, log };
}

test("curl speaks both versions of HTTP through a sleep, a link opens a browser's session, and all is counted", async () => {
  const { aws, home, microvm, microvmId, url, token, curl, log } = await useMicrovm();
  const auth = ["-H", `X-aws-proxy-auth: ${token}`];
  const version = ["-o", "/dev/null", "-w", "%{http_version} %{http_code}"];
  expect(await curl("--http2", ...auth, ...version, `${url}/`)).toBe("2 200");
  expect(await curl("--http1.1", ...auth, ...version, `${url}/`)).toBe("1.1 200");

  for (const [args, status, text] of [
    [["-H", `X-aws-proxy-auth: ${token}x`], 403, "Request missing authentication"],
    [["-G", "-d", `X-aws-proxy-auth=${token}`], 403, "Request missing authentication"],
    [[...auth, "-H", "X-aws-proxy-port: eighty"], 400, "Malformed request: the port must be a number"],
    [[...auth, "-H", "X-aws-proxy-port: 81"], 502, "Nothing listens on the port 81"],
    [[...auth, "-H", "X-aws-proxy-force-h2: true"], 502, "The application did not give a valid HTTP response"],
    [[...auth, "-X", "TRACE"], 405, "Method not allowed"],
  ] as const) {
    for (const protocol of ["--http1.1", "--http2"]) {
      const answer = await curl(protocol, ...args, "-i", `${url}/`);
      expect(answer).toMatch(new RegExp(`^HTTP/(1.1|2) ${status} `));
      expect(answer).toMatch(/^x-amzn-requestid: [0-9a-f-]{36}\r$/im);
      expect(answer).toContain(text);
    }
  }

  await microvm("suspend-microvm", "--microvm-identifier", microvmId);
  await microvmBecomes(aws, microvmId, "SUSPENDED");
  expect(await curl("--http2", ...version, `${url}/`)).toBe("2 403");
  const state = ["get-microvm", "--microvm-identifier", microvmId, "--query", "state", "--output", "text"];
  expect(await microvm(...state)).toBe("SUSPENDED");
  expect(await curl("--http2", ...auth, ...version, `${url}/`)).toBe("2 200");

  const printed = await runProgram(CATNAP, ["open", microvmId], { env: { CATNAP_HOME: home } });
  expect(printed).toMatchObject({ code: 0, stderr: "" });
  const link = printed.stdout.trim();
  expect(link).toMatch(new RegExp(`^${url}/\\.well-known/catnap/open/[\\w-]{43}$`));
  const jar = join(aws.folder, "cookies.txt");
  expect(await curl("-L", "-c", jar, "-b", jar, ...version, link)).toBe("2 200");
  expect(await curl("-b", jar, ...version, `${url}/`)).toBe("2 200");
  expect(await curl("-L", ...version, link)).toBe("2 403");
  expect(await curl(...version, `${url}/`)).toBe("2 403");
  expect((await runProgram(CATNAP, ["open", microvmId, "--port", "http"], { env: { CATNAP_HOME: home } })).code).toBe(
    2,
  );

  const metricsUrl = await eventually<string>("the log names the metrics", 10_000, async () => {
    const found = /http:\/\/127\.0\.0\.1:\d+\/metrics/.exec(await log())?.[0];
    return found === undefined ? { saw: "no address" } : { done: found };
  });
  const page = await curl(metricsUrl);
  expect(page).toMatch(new RegExp(`catnap_proxy_microvm_requests_total\\{microvm_id="${microvmId}"\\} \\d+`));
  expect(page).toMatch(/catnap_proxy_wakes_total 2\n/);
  expect(await log()).toMatch(/"msg":"request"/);
  expect(await log()).not.toContain(token);
});

test("the limits of a microVM's size hold when they are asked for", async () => {
  const { url, token, curl } = await useMicrovm();
  const parallel = ["--parallel", "--parallel-max", "50", "-w", "%{http_code}\n", "-o", "/dev/null"];
  // On a busy host one burst may come so slowly that it is within the limit.
  const codes = await eventually("a burst beyond the limit", LIMIT_MS, async () => {
    const seen = await curl(...parallel, "-H", `X-aws-proxy-auth: ${token}`, `${url}/[1-300]`);
    return seen.includes("429") ? { done: seen } : { saw: seen.slice(0, 40) };
  });
  expect(codes).toMatch(/200|404/);
});
