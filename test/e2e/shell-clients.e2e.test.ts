import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { AwsCli } from "../support/aws.ts";
import { Builds } from "../support/bad-builds.ts";
import { BrowserTerminal } from "../support/browser-terminal.ts";
import { useBrowser } from "../support/browser.ts";
import { newCatnapServer } from "../support/catnap-server.ts";
import { mustRun, PROJECT } from "../support/project.ts";
import { microvmBecomes } from "../support/walkthrough.ts";

const REGION = "us-east-1";
const SHELL_INGRESS = `arn:aws:lambda:${REGION}:aws:network-connector:aws-network-connector:SHELL_INGRESS`;
const PYTHON = join(PROJECT, ".cache/python-clients/bin/python");
const LINK_TOOLS = String.raw`z.writestr("Dockerfile", SERVE + 'RUN ["/bin/busybox", "--install", "-s", "/bin"]\n'); app()`;

async function useShells() {
  const server = await newCatnapServer();
  onTestFinished(() => server.dispose());
  await server.start();
  const aws = await AwsCli.open(server.clientEnv);
  onTestFinished(() => aws.dispose());
  const builds = await Builds.open(aws, "shell-clients");
  const [tooled, bare] = await Promise.all([
    builds.build("tooled", { archive: LINK_TOOLS }),
    builds.build("bare", { archive: `z.writestr("Dockerfile", SERVE); app()` }),
  ]);
  const run = async (image: string) => {
    const common = ["--image-identifier", image, "--ingress-network-connectors", SHELL_INGRESS];
    const { microvmId, endpoint } = JSON.parse(await aws.run("lambda-microvms", "run-microvm", ...common)) as Record<
      "microvmId" | "endpoint",
      string
    >;
    await microvmBecomes(aws, microvmId, "RUNNING");
    const mint = [
      "create-microvm-shell-auth-token",
      "--microvm-identifier",
      microvmId,
      "--expiration-in-minutes",
      "15",
    ];
    const query = ["--query", 'authToken."X-aws-proxy-auth"', "--output", "text"];
    const token = await aws.run("lambda-microvms", ...mint, ...query);
    const protocols = [`lambda-microvms.authentication.${token}`, "lambda-microvms", "lambda-microvms.port.8022"];
    return { url: `wss://${endpoint}/shell`, port: Number(endpoint.split(":")[1]), protocols, token };
  };
  const [withShell, without] = [await run(tooled.arn), await run(bare.arn)];
  const browser = await useBrowser({ rootFile: join(server.home, "tls/ca.pem"), port: withShell.port });
  return { withShell, without, browser, ca: server.clientEnv()["AWS_CA_BUNDLE"] ?? "" };
}

test("a terminal opens with xterm.js in Chromium, several at once, in images with and without a shell", async () => {
  const { withShell, without, browser, ca } = await useShells();
  const context = await browser.newContext();
  const open = async ({ url, protocols }: typeof withShell) =>
    BrowserTerminal.open(await context.newPage(), url, protocols);

  const first = await open(withShell);
  await first.shows(/^λ \$$/m);
  expect(await first.get("state.protocol")).toBe("lambda-microvms");
  expect(await first.get("state.texts")).toEqual([
    { type: "session_init", session_id: expect.stringMatching(/^[0-9a-f-]{36}$/) },
  ]);
  await first.type("tty; id -u; pwd; echo $TERM\n");
  await first.shows(/^\/dev\/pts\/0\n0\n\/\nxterm$/m);
  await first.resize(101, 31);
  await first.type("stty size\n");
  await first.shows(/^31 101$/m);
  await first.type(String.raw`clear; printf '\033[31mred\033[0m \303\244\n'` + "\n");
  await first.shows(/^red ä$/m);
  expect(await first.get("state.terminal.buffer.active.getLine(0).getCell(0).getFgColor()")).toBe(1);

  const second = await open(withShell);
  await second.shows(/^λ \$$/m);
  await second.type("tty; sleep 1000\n");
  await second.shows(/^\/dev\/pts\/1$/m);
  await first.type("clear; ps | grep -c '[s]leep 1000'\n");
  await first.shows(/^1$/m);
  await second.type("\u0003");
  await second.shows(/\^C\nλ \$$/);
  await second.type("exit\n");
  expect(await second.closed()).toBe("1000 shell exited");
  await first.type("exit\n");
  expect(await first.closed()).toBe("1000 shell exited");

  const fallback = await open(without);
  await fallback.shows(/This image has no shell; this one is Catnap's own busybox/);
  await fallback.shows(/^λ \$$/m);
  await fallback.type("ls /www; exit\n");
  await fallback.shows(/^index\.html$/m);
  expect(await fallback.closed()).toBe("1000 shell exited");

  // A shell's token opens no application, and an expired or foreign one no shell: a browser sees 1006 for every refusal.
  const refused = await open({ ...without, protocols: withShell.protocols });
  expect(await refused.closed()).toBe("1006 ");

  const python = async (order: object) =>
    JSON.parse(
      await mustRun(PYTHON, [join(PROJECT, "test/support/python-shell.py")], {
        input: JSON.stringify({ ca, ...order }),
      }),
    ) as object;
  const steps = [
    { until: "λ $ " },
    { send: '{"type":"resize","cols":90,"rows":20}' },
    { type: "stty size\n" },
    { until: "20 90\r\n" },
    { send: "echo typed as text\n" }, // text that is no message is typed
    { until: "\r\ntyped as text\r\n" },
    { type: "exit\n" },
  ];
  const ends = { texts: [{ type: "session_init" }], close: [1000, "shell exited"] };
  const { url, protocols, token } = withShell;
  expect(await python({ url, protocols, headers: {}, steps })).toMatchObject({ ...ends, protocol: "lambda-microvms" });
  const headers = { "X-aws-proxy-auth": token };
  expect(await python({ url, protocols: null, headers, steps })).toMatchObject({ ...ends, protocol: null });
});
