import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { AwsCli } from "../support/aws.ts";
import { newCatnapServer } from "../support/catnap-server.ts";
import { eventually } from "../support/eventually.ts";
import { CATNAP, runProgram } from "../support/project.ts";
import { buildApp, microvmBecomes } from "../support/walkthrough.ts";

const REGION = "us-east-1";
const IDLE_POLICY = '{"maxIdleDurationSeconds":900,"suspendedDurationSeconds":600,"autoResumeEnabled":true}';

async function useShellMicrovm() {
  const server = await newCatnapServer();
  onTestFinished(() => server.dispose());
  await server.start();
  const aws = await AwsCli.open(server.clientEnv);
  onTestFinished(() => aws.dispose());
  const { imageArn } = await buildApp(aws, { app: "counter", imageName: "with-shell", region: REGION });
  const connectors = ["SHELL_INGRESS", "HTTP_INGRESS"].map(
    (name) => `arn:aws:lambda:${REGION}:aws:network-connector:aws-network-connector:${name}`,
  );
  const microvm = (...args: string[]) => aws.run("lambda-microvms", ...args, "--region", REGION);
  const run = ["run-microvm", "--image-identifier", imageArn, "--idle-policy", IDLE_POLICY];
  const { microvmId, endpoint } = JSON.parse(
    await microvm(...run, "--ingress-network-connectors", ...connectors),
  ) as Record<"microvmId" | "endpoint", string>;
  await microvmBecomes(aws, microvmId, "RUNNING");
  const mint = (...args: string[]) =>
    microvm(...args, "--microvm-identifier", microvmId, "--query", 'authToken."X-aws-proxy-auth"', "--output", "text");
  const catnap = (input: string, ...args: string[]) =>
    runProgram(CATNAP, args, { env: { CATNAP_HOME: server.home }, input });
  const ca = await readFile(server.clientEnv()["AWS_CA_BUNDLE"] ?? "", "utf8");
  return { aws, home: server.home, imageArn, microvm, microvmId, endpoint, mint, catnap, ca };
}

/** A terminal as a person has it: text that came, and keys that go. */
class Terminal {
  readonly socket: WebSocket;
  readonly texts: string[] = [];
  readonly closed: Promise<[number, string]>;
  #seen = "";

  constructor(endpoint: string, protocols: string[], ca: string) {
    this.socket = new WebSocket(`wss://${endpoint}/shell`, protocols, { ca });
    this.socket.on("message", (data, isBinary) => {
      const text = (data as Buffer).toString();
      if (isBinary) this.#seen += text;
      else this.texts.push(text);
    });
    this.closed = new Promise((resolve) =>
      this.socket.once("close", (code, reason) => resolve([code, reason.toString()])),
    );
    onTestFinished(() => this.socket.terminate());
  }

  async sees(wanted: RegExp): Promise<void> {
    await eventually(`the terminal shows ${wanted}`, 60_000, () =>
      Promise.resolve(this.#seen.search(wanted) >= 0 ? { done: true } : { saw: JSON.stringify(this.#seen) }),
    );
    this.#seen = "";
  }

  type(keys: string): void {
    this.socket.send(Buffer.from(keys));
  }
}

test("a shell opens in the app's container, over the service's protocol and from the command line", async () => {
  const { aws, home, imageArn, microvm, microvmId, endpoint, mint, catnap, ca } = await useShellMicrovm();
  const token = await mint("create-microvm-shell-auth-token", "--expiration-in-minutes", "15");
  const offered = [`lambda-microvms.authentication.${token}`, "lambda-microvms", "lambda-microvms.port.8022"];
  const open = (protocols = offered) => new Terminal(endpoint, protocols, ca);

  const terminal = open();
  await terminal.sees(/λ \$ /);
  expect(terminal.socket.protocol).toBe("lambda-microvms");
  expect(JSON.parse(terminal.texts[0] ?? "")).toMatchObject({ type: "session_init" });
  terminal.type("tty; id -u; pwd; echo $TERM; tr '\\0' ' ' </proc/1/cmdline\n");
  await terminal.sees(/\/dev\/pts\/0\r\n0\r\n\/\r\nxterm\r\npython3 app.py/);
  terminal.socket.send('{"type":"resize","cols":120,"rows":40}');
  terminal.type("stty size\n");
  await terminal.sees(/40 120\r\n/);

  const second = open();
  await second.sees(/λ \$ /);
  second.type("tty\n");
  await second.sees(/\/dev\/pts\/1/);
  terminal.socket.send("exit\n");
  expect(await terminal.closed).toEqual([1000, "shell exited"]);

  // Each token opens what it is for and nothing else.
  const appToken = await mint(
    "create-microvm-auth-token",
    "--expiration-in-minutes",
    "15",
    "--allowed-ports",
    '[{"allPorts":{}}]',
  );
  const refused = open([`lambda-microvms.authentication.${appToken}`, "lambda-microvms"]);
  const [error] = (await once(refused.socket, "error")) as [Error];
  expect(error.message).toMatch(/Unexpected server response/);
  const status = await aws.shell(
    `curl -sS -o /dev/null -w '%{http_code} %{size_download}' "https://${endpoint}/" -H "X-aws-proxy-auth: ${token}"`,
  );
  expect(status).toBe("502 0");

  const script = "echo out; echo err >&2; cat; echo $GREETING; exit 42";
  const ran = await catnap("typed\n", "exec", "-e", "GREETING=a b", microvmId, "--", "sh", "-c", script);
  expect(ran).toEqual({ code: 42, stdout: "out\ntyped\na b\n", stderr: "err\n" });
  const missing = await catnap("", "exec", microvmId, "--", "no-such-program");
  expect(missing).toMatchObject({ code: 127, stderr: expect.stringContaining("executable file not found") });
  const large = await catnap("x".repeat(3_000_000), "exec", microvmId, "--", "cat");
  expect(large.stdout.length).toBe(3_000_000);
  const typed = await catnap("tty; exit\n", "shell", microvmId);
  expect(typed).toMatchObject({ code: 0, stdout: expect.stringContaining("/dev/pts/") });

  // On a real terminal: its size, raw keys, and a terminal that is as before afterwards.
  const keys = "stty rows 30 cols 100; $CATNAP shell $ID; stty -a | grep -o '[-]*icanon'";
  const { stdout } = await runProgram("script", ["-qec", keys, "/dev/null"], {
    env: { CATNAP, ID: microvmId, CATNAP_HOME: home, SHELL: "/bin/sh" },
    input: "stty size; exit\n",
  });
  expect(stdout).toMatch(/\r30 100\r\n/);
  expect(stdout).toMatch(/[^-]icanon\s*$/);

  // A suspend ends the shell; the next one wakes the microVM, and processes go on.
  await microvm("suspend-microvm", "--microvm-identifier", microvmId);
  expect(await second.closed).toEqual([1001, "the MicroVM is no longer running"]);
  await microvmBecomes(aws, microvmId, "SUSPENDED");
  const woken = await catnap("", "exec", microvmId, "--", "sh", "-c", "ls /dev/pts; cat /proc/1/comm");
  expect(woken).toEqual({ code: 0, stdout: "ptmx\npython3\n", stderr: "" });

  const plain = await microvm(
    "run-microvm",
    "--image-identifier",
    imageArn,
    "--query",
    "microvmId",
    "--output",
    "text",
  );
  const refusal = "Shell access requires SHELL_INGRESS network connector to be configured on the MicroVM.";
  expect(await catnap("", "shell", plain)).toEqual({ code: 1, stdout: "", stderr: `${refusal}\n` });
});
