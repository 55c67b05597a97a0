import { join } from "node:path";
import {
  CreateMicrovmAuthTokenCommand,
  GetMicrovmCommand,
  LambdaMicrovmsClient,
  ResumeMicrovmCommand,
  RunMicrovmCommand,
  type RunMicrovmCommandInput,
  SuspendMicrovmCommand,
  TerminateMicrovmCommand,
} from "@aws-sdk/client-lambda-microvms";
import { onTestFinished } from "vitest";
import { clientSettings } from "../../src/cli/client-settings.ts";
import { processesWorkingIn } from "../../src/engine/qemu/process-identity.ts";
import { askEndpoint } from "./ask-endpoint.ts";
import { AwsCli } from "./aws.ts";
import { Builds, type BuildEnd } from "./bad-builds.ts";
import type { CatnapServer } from "./catnap-server.ts";
import { eventually } from "./eventually.ts";
import { mustRun, PROJECT } from "./project.ts";

const PORT = 8080;
const SMALL = ["--resources", '[{"minimumMemoryInMiB":512}]'];
const LIMIT_MS = 240_000;

/** The app alone in a container: /hostile. */
const ARCHIVE = `
z.write("hostile")
z.writestr("Dockerfile", """FROM scratch
COPY hostile /hostile
EXPOSE 8080
CMD ["/hostile"]
""")`;

/** Images and microVMs of test/apps/hostile on a running server. */
export async function useHostileApp(server: CatnapServer) {
  const aws = await AwsCli.open(server.clientEnv);
  onTestFinished(() => aws.dispose());
  const builds = await Builds.open(aws, "hostile");
  await mustRun("cc", ["-O1", "-static", "-o", join(aws.folder, "hostile"), join(PROJECT, "test/apps/hostile/app.c")]);
  return {
    aws,
    build: (name: string, options: readonly string[] = []): Promise<BuildEnd> =>
      builds.build(name, { archive: ARCHIVE, options: [...SMALL, ...options] }),
    /** From the archive of the image "app". */
    buildAgain: (name: string): Promise<BuildEnd> =>
      builds.build(name, { uri: "s3://hostile/app.zip", options: SMALL }),
    run: async (imageArn: string, executionRoleArn?: string) => {
      const microvm = await HostileMicrovm.run(server, { imageIdentifier: imageArn, executionRoleArn });
      await microvm.becomes("RUNNING");
      return microvm;
    },
    /** Not waited for. */
    begin: (imageArn: string) => HostileMicrovm.run(server, { imageIdentifier: imageArn }),
  };
}

/** One microVM, through the API and its endpoint; the server may be another one by then. */
export class HostileMicrovm {
  readonly microvmId: string;
  readonly #server: CatnapServer;
  readonly #endpoint: string;
  #token = "";

  private constructor(server: CatnapServer, { microvmId, endpoint }: { microvmId: string; endpoint: string }) {
    this.#server = server;
    this.microvmId = microvmId;
    this.#endpoint = endpoint;
  }

  static async run(server: CatnapServer, request: RunMicrovmCommandInput): Promise<HostileMicrovm> {
    const idlePolicy = { autoResumeEnabled: true, maxIdleDurationSeconds: 900, suspendedDurationSeconds: 900 };
    const { microvmId = "", endpoint = "" } = await withClient(server, (client) =>
      client.send(new RunMicrovmCommand({ ...request, idlePolicy })),
    );
    const microvm = new HostileMicrovm(server, { microvmId, endpoint });
    const { authToken } = await withClient(server, (client) =>
      client.send(
        new CreateMicrovmAuthTokenCommand({
          ...microvm.#key,
          expirationInMinutes: 60,
          allowedPorts: [{ port: PORT }],
        }),
      ),
    );
    microvm.#token = authToken?.["X-aws-proxy-auth"] ?? "";
    return microvm;
  }

  /** The body of a 200, or an error. */
  ask(path: string): Promise<string> {
    const caFile = this.#server.clientEnv()["AWS_CA_BUNDLE"] ?? "";
    return askEndpoint({ endpoint: this.#endpoint, token: this.#token, port: PORT, path, caFile });
  }

  async view(): Promise<{ state: string; reason: string }> {
    const { state = "", stateReason = "" } = await withClient(this.#server, (client) =>
      client.send(new GetMicrovmCommand(this.#key)),
    );
    return { state, reason: stateReason };
  }

  /** Resolves with the reason. */
  becomes(wanted: string): Promise<string> {
    return eventually<string>(`the microVM is ${wanted}`, LIMIT_MS, async () => {
      const { state, reason } = await this.view();
      if (state !== wanted && state === "TERMINATED") throw new Error(`it has ended: ${reason}`);
      return state === wanted ? { done: reason } : { saw: state };
    });
  }

  async suspend(): Promise<void> {
    await withClient(this.#server, (client) => client.send(new SuspendMicrovmCommand(this.#key)));
  }

  async resume(): Promise<void> {
    await withClient(this.#server, (client) => client.send(new ResumeMicrovmCommand(this.#key)));
  }

  async terminate(): Promise<void> {
    await withClient(this.#server, (client) => client.send(new TerminateMicrovmCommand(this.#key)));
    await this.becomes("TERMINATED");
  }

  get directory(): string {
    return join(this.#server.home, "microvms", this.microvmId);
  }

  machines(): Promise<number[]> {
    return processesWorkingIn(this.directory);
  }

  /** Ends the process of a microVM that dozes, so that its next wake is from disk. */
  async endDoze(): Promise<void> {
    for (const pid of await this.machines()) process.kill(pid, "SIGKILL");
  }

  get #key() {
    return { microvmIdentifier: this.microvmId };
  }
}

async function withClient<T>(server: CatnapServer, call: (client: LambdaMicrovmsClient) => Promise<T>): Promise<T> {
  const client = new LambdaMicrovmsClient({ ...clientSettings(server.clientEnv()), maxAttempts: 1 });
  try {
    return await call(client);
  } finally {
    client.destroy();
  }
}
