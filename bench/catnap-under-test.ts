import { readFile } from "node:fs/promises";
import { Agent } from "node:http";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import {
  CreateMicrovmAuthTokenCommand,
  GetMicrovmCommand,
  LambdaMicrovmsClient,
  RunMicrovmCommand,
  SuspendMicrovmCommand,
  TerminateMicrovmCommand,
} from "@aws-sdk/client-lambda-microvms";
import { clientSettings, type ClientSettings } from "../src/cli/client-settings.ts";
import { processesWorkingIn } from "../src/engine/qemu/process-identity.ts";
import type { Cleanup } from "../src/util/cleanup.ts";
import { newCatnapServer, type CatnapServer } from "../test/support/catnap-server.ts";
import { PROJECT } from "../test/support/project.ts";
import { buildImage, prepareBuilds } from "./build-image.ts";
import { createEndpointClient, type EndpointClient } from "./endpoint-client.ts";
import { progress } from "./scenario.ts";

export interface BenchMicrovm {
  readonly microvmId: string;
  readonly endpoint: string;
  readonly token: string;
}

export const FLASK = join(PROJECT, "test/apps/flask");

/** Our server in a home of its own, driven by the SDK as a customer drives it. */
export class CatnapUnderTest {
  readonly #server: CatnapServer;
  #client: LambdaMicrovmsClient | undefined;
  #visitor: EndpointClient | undefined;

  private constructor(server: CatnapServer) {
    this.#server = server;
  }

  static async open(cleanup: Cleanup, settings: Record<string, string> = {}): Promise<CatnapUnderTest> {
    const server = await newCatnapServer(settings);
    cleanup.add(() => server.dispose());
    const subject = new CatnapUnderTest(server);
    cleanup.add(async () => subject.#client?.destroy());
    await subject.start();
    await prepareBuilds(subject.clientSettings);
    return subject;
  }

  get home(): string {
    return this.#server.home;
  }

  get client(): LambdaMicrovmsClient {
    if (this.#client === undefined) throw new Error("The server is down");
    return this.#client;
  }

  get clientSettings(): ClientSettings {
    return clientSettings(this.#server.clientEnv());
  }

  async start(): Promise<void> {
    await this.#server.start();
    const requestHandler = { httpAgent: new Agent({ keepAlive: true, maxSockets: 256 }) };
    this.#client = new LambdaMicrovmsClient({ ...this.clientSettings, requestHandler });
    this.#visitor = createEndpointClient(this.#server.clientEnv()["AWS_CA_BUNDLE"] ?? "");
  }

  async down(): Promise<void> {
    this.#client?.destroy();
    this.#client = undefined;
    await this.#server.down();
  }

  async serverPid(): Promise<number> {
    return Number(await readFile(join(this.home, "catnap.pid"), "utf8"));
  }

  directoryOf(microvmId: string): string {
    return join(this.home, "microvms", microvmId);
  }

  /** Monitors of one microVM, or of all. */
  monitors(microvmId?: string): Promise<number[]> {
    return processesWorkingIn(microvmId === undefined ? join(this.home, "microvms") : this.directoryOf(microvmId));
  }

  /** `extra` files are added to those of the directory, or take their place. */
  async build(name: string, directory: string, extra: Record<string, string> = {}): Promise<string> {
    progress(`building the image ${name}`);
    return buildImage(this.client, this.clientSettings, { name, directory, extra });
  }

  /** RunMicrovm and a token; the machine starts behind it. */
  async run(imageIdentifier: string): Promise<BenchMicrovm> {
    const { microvmId = "", endpoint = "" } = await this.client.send(
      new RunMicrovmCommand({
        imageIdentifier,
        idlePolicy: { autoResumeEnabled: true, maxIdleDurationSeconds: 3600, suspendedDurationSeconds: 28_800 },
      }),
    );
    return { microvmId, endpoint, token: await this.token(microvmId) };
  }

  async token(microvmIdentifier: string): Promise<string> {
    const { authToken } = await this.client.send(
      new CreateMicrovmAuthTokenCommand({
        microvmIdentifier,
        expirationInMinutes: 60,
        allowedPorts: [{ port: 8080 }],
      }),
    );
    return authToken?.["X-aws-proxy-auth"] ?? "";
  }

  /** Milliseconds to the last byte of a 200 on a new connection. */
  async visit(microvm: Pick<BenchMicrovm, "endpoint" | "token">, path = "/"): Promise<number> {
    const begun = performance.now();
    await this.#visitor!.ask({ ...microvm, path });
    return performance.now() - begun;
  }

  /** Milliseconds from the call to SUSPENDED. */
  async suspend({ microvmId: microvmIdentifier }: Pick<BenchMicrovm, "microvmId">): Promise<number> {
    const begun = performance.now();
    await this.client.send(new SuspendMicrovmCommand({ microvmIdentifier }));
    while ((await this.client.send(new GetMicrovmCommand({ microvmIdentifier }))).state !== "SUSPENDED")
      await setTimeout(1);
    return performance.now() - begun;
  }

  /** Resolves when the process of a sleeper is gone: from then on it wakes from disk. */
  async isOnDiskOnly(microvmId: string): Promise<void> {
    while ((await this.monitors(microvmId)).length > 0) await setTimeout(20);
  }

  async terminate({ microvmId: microvmIdentifier }: Pick<BenchMicrovm, "microvmId">): Promise<void> {
    await this.client.send(new TerminateMicrovmCommand({ microvmIdentifier }));
    while ((await this.monitors(microvmIdentifier)).length > 0) await setTimeout(5);
  }
}
