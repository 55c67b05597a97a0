import { setTimeout } from "node:timers/promises";
import {
  CreateMicrovmAuthTokenCommand,
  GetMicrovmCommand,
  ResourceNotFoundException,
  RunMicrovmCommand,
  SuspendMicrovmCommand,
  TerminateMicrovmCommand,
  type LambdaMicrovmsClient,
} from "@aws-sdk/client-lambda-microvms";
import { askEndpoint } from "../support/ask-endpoint.ts";

const PATIENCE_MS = 120_000;
const TOKEN_MS = 10 * 60_000;
/** How a machine that was killed while it ran is told of; nothing else may end a microVM here. */
export const LOST = "The virtual machine of this MicroVM ended unexpectedly.";

export interface Place {
  readonly client: () => LambdaMicrovmsClient;
  readonly caFile: string;
  readonly imageArn: string;
}

/** What must never be: a counter that is wrong, a microVM that is gone. */
export class Broken extends Error {
  override readonly name = "Broken";
}

/** One microVM whose requests are counted on both sides. */
export class CountedMicrovm {
  readonly microvmId: string;
  readonly #endpoint: string;
  readonly #place: Place;
  #counted = 0;
  /** Requests without an answer: they may have been counted by the app or not. */
  #unknown = 0;
  #token = { text: "", until: 0 };

  private constructor(place: Place, { microvmId, endpoint }: { microvmId: string; endpoint: string }) {
    this.#place = place;
    this.microvmId = microvmId;
    this.#endpoint = endpoint;
  }

  static async run(place: Place): Promise<CountedMicrovm> {
    const idlePolicy = { autoResumeEnabled: true, maxIdleDurationSeconds: 900, suspendedDurationSeconds: 28_800 };
    // One token for all tries: a try whose answer was lost has begun the same microVM.
    const clientToken = crypto.randomUUID();
    const command = new RunMicrovmCommand({ imageIdentifier: place.imageArn, idlePolicy, clientToken });
    const { microvmId = "", endpoint = "" } = await persist(() => place.client().send(command));
    return new CountedMicrovm(place, { microvmId, endpoint });
  }

  /** Asks until there is an answer and holds its numbers against ours. */
  async ask(): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        return this.#check(await this.#request());
      } catch (cause) {
        if (cause instanceof Broken) throw cause;
        if ((await this.state()).state === "TERMINATED") throw cause;
        if (performance.now() > deadline) throw new Broken(`${this.microvmId} does not answer: ${String(cause)}`);
        await setTimeout(50);
      }
    }
  }

  async suspend(): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while ((await this.state()).state !== "SUSPENDED") {
      if ((await this.state()).state === "TERMINATED") return;
      if (performance.now() > deadline) throw new Broken(`${this.microvmId} does not fall asleep`);
      await persist(() => this.#place.client().send(new SuspendMicrovmCommand(this.#key))).catch(() => {});
      await setTimeout(5);
    }
  }

  async state(): Promise<{ state: string; reason: string }> {
    const view = await persist(() => this.#place.client().send(new GetMicrovmCommand(this.#key)));
    return { state: view.state ?? "", reason: view.stateReason ?? "" };
  }

  async terminate(): Promise<void> {
    await persist(() => this.#place.client().send(new TerminateMicrovmCommand(this.#key)));
  }

  get #key() {
    return { microvmIdentifier: this.microvmId };
  }

  #check(answer: string): void {
    const [memory, disk] = answer.trim().split(" ").map(Number);
    const [least, most] = [this.#counted + 1, this.#counted + 1 + this.#unknown];
    if (memory === undefined || memory !== disk || !(memory >= least && memory <= most))
      throw new Broken(`${this.microvmId} counted ${answer.trim()}, which should be ${least} to ${most} twice`);
    this.#counted = memory;
    this.#unknown = 0;
  }

  async #request(): Promise<string> {
    const token = await this.#freshToken();
    this.#unknown++;
    const { caFile } = this.#place;
    const answer = await askEndpoint({ endpoint: this.#endpoint, token, port: 8080, path: "/cgi-bin/count", caFile });
    this.#unknown--;
    return answer;
  }

  async #freshToken(): Promise<string> {
    if (Date.now() < this.#token.until) return this.#token.text;
    const command = new CreateMicrovmAuthTokenCommand({
      ...this.#key,
      expirationInMinutes: 60,
      allowedPorts: [{ port: 8080 }],
    });
    const { authToken } = await persist(() => this.#place.client().send(command));
    this.#token = { text: authToken?.["X-aws-proxy-auth"] ?? "", until: Date.now() + TOKEN_MS };
    return this.#token.text;
  }
}

/** Tries again while the server is away. */
async function persist<T>(call: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await call();
    } catch (cause) {
      const isAnswer = (cause as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode !== undefined;
      if (cause instanceof ResourceNotFoundException || isAnswer || performance.now() > deadline) throw cause;
      await setTimeout(50);
    }
  }
}
