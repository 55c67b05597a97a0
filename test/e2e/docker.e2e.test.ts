import { expect, onTestFinished, test } from "vitest";
import { processesWorkingIn } from "../../src/engine/qemu/process-identity.ts";
import { join } from "node:path";
import { AwsCli } from "../support/aws.ts";
import { askEndpoint } from "../support/ask-endpoint.ts";
import { newCatnapServer } from "../support/catnap-server.ts";
import { eventually } from "../support/eventually.ts";
import { CATNAP, mustRun } from "../support/project.ts";
import { buildApp, microvmBecomes } from "../support/walkthrough.ts";

const REGION = "us-east-1";
const LIMIT_MS = 60_000;

test("a Docker engine runs in a microVM, is in its snapshot, and its containers live through a deep sleep", async () => {
  const server = await newCatnapServer({ CATNAP_DOZE_SECONDS: "0.1" });
  onTestFinished(() => server.dispose());
  await server.start();
  const aws = await AwsCli.open(server.clientEnv);
  onTestFinished(() => aws.dispose());
  const capabilities = ["--additional-os-capabilities", "ALL"];
  const { imageArn } = await buildApp(aws, { app: "docker", imageName: "docker", region: REGION, with: capabilities });

  const connectors = ["SHELL_INGRESS", "HTTP_INGRESS"].map(
    (name) => `arn:aws:lambda:${REGION}:aws:network-connector:aws-network-connector:${name}`,
  );
  const microvm = (...args: string[]) => aws.run("lambda-microvms", ...args, "--region", REGION);
  const idlePolicy = '{"maxIdleDurationSeconds":900,"suspendedDurationSeconds":600,"autoResumeEnabled":true}';
  const { microvmId, endpoint } = JSON.parse(
    await microvm(
      "run-microvm",
      "--image-identifier",
      imageArn,
      "--idle-policy",
      idlePolicy,
      "--ingress-network-connectors",
      ...connectors,
    ),
  ) as Record<"microvmId" | "endpoint", string>;
  const its = ["--microvm-identifier", microvmId];
  await microvmBecomes(aws, microvmId, "RUNNING");
  const mint = ["create-microvm-auth-token", ...its, "--expiration-in-minutes", "30", "--allowed-ports", "port=8080"];
  const token = await microvm(...mint, "--query", 'authToken."X-aws-proxy-auth"', "--output", "text");
  const caFile = server.clientEnv()["AWS_CA_BUNDLE"] ?? "";
  const count = () => askEndpoint({ endpoint, token, port: 8080, path: "/cgi-bin/count", caFile });
  const inside = (...command: string[]) =>
    mustRun(CATNAP, ["exec", microvmId, "--", ...command], { env: { CATNAP_HOME: server.home } });

  // Docker's proxy listens before its container does, so the snapshot may be of a moment between the two.
  const first = await eventually("the container answers", LIMIT_MS, () =>
    count().then(
      (done) => ({ done }),
      (cause: Error) => ({ saw: cause.message }),
    ),
  );
  expect(first).toBe("1 of nested\n");
  const [id = "", image = ""] = (await inside("docker", "ps", "--format", "{{.ID}} {{.Image}}")).trim().split(" ");
  expect(image).toBe("inner");
  expect(await inside("docker", "info", "--format", "{{.Driver}}")).toBe("fuse-overlayfs\n");
  expect(await inside("sh", "-c", `cat /sys/fs/cgroup/docker/${id}*/memory.max`)).toBe(`${64 << 20}\n`);

  await microvm("suspend-microvm", ...its);
  await microvmBecomes(aws, microvmId, "SUSPENDED");
  await eventually("the machine's process ends", LIMIT_MS, async () => {
    const left = await processesWorkingIn(join(server.home, "microvms", microvmId));
    return left.length === 0 ? { done: undefined } : { saw: left.join() };
  });
  expect(await count()).toBe("2 of nested\n");
  expect(await inside("docker", "run", "--rm", "inner", "/bin/busybox", "echo", "another")).toContain("another\n");
});
