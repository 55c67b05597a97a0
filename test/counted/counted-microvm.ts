import { setTimeout } from "node:timers/promises";
import {
  CreateMicrovmAuthTokenCommand,
  GetMicrovmCommand,
  ResumeMicrovmCommand,
  RunMicrovmCommand,
  SuspendMicrovmCommand,
  TerminateMicrovmCommand,
  type LambdaMicrovmsClient,
  type RunMicrovmCommandInput,
} from "@aws-sdk/client-lambda-microvms";
import { askEndpoint, type EndpointQuestion } from "../support/ask-endpoint.ts";
import { PATIENCE_MS, persist } from "./persist.ts";

const TOKEN_MS = 10 * 60_000;
/** A request that was cut has reached the app by then, or never will. */
const LATE_MS = 30_000;
/** How a machine that was killed while it ran is told of. */
export const LOST = "The virtual machine of this MicroVM ended unexpectedly.";

export interface Place {
  readonly client: () => LambdaMicrovmsClient;
  readonly caFile: string;
  readonly imageArn: string;
  /** Beyond what every counted microVM is run with. */
  readonly run?: Partial<RunMicrovmCommandInput>;
}

/** What must never be: a counter that is wrong, a microVM that is gone. */
export class Broken extends Error {
  override readonly name = "Broken";
}

/** One microVM whose requests are counted on both sides. */
export class CountedMicrovm {
  readonly microvmId: string;
  readonly endpoint: string;
  readonly place: Place;
  #counted = 0;
  /** When requests without an answer were given up: each may have been counted by the app or not. */
  #unknown: number[] = [];
  #token = { text: "", until: 0 };

  private constructor(place: Place, { microvmId, endpoint }: { microvmId: string; endpoint: string }) {
    this.place = place;
    this.microvmId = microvmId;
    this.endpoint = endpoint;
  }

  static async run(place: Place): Promise<CountedMicrovm> {
    const idlePolicy = { autoResumeEnabled: true, maxIdleDurationSeconds: 900, suspendedDurationSeconds: 28_800 };
    // One token for all tries: a try whose answer was lost has begun the same microVM.
    const clientToken = crypto.randomUUID();
    const input = { imageIdentifier: place.imageArn, idlePolicy, clientToken, ...place.run };
    const { microvmId = "", endpoint = "" } = await persist(() => place.client().send(new RunMicrovmCommand(input)));
    return new CountedMicrovm(place, { microvmId, endpoint });
  }

  /** Asks until there is an answer and holds its numbers against ours. */
  async ask(): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        return this.#check(await this.#count());
      } catch (cause) {
        if (cause instanceof Broken) throw cause;
        if ((await this.state()).state === "TERMINATED") throw cause;
        if (performance.now() > deadline) throw new Broken(`${this.microvmId} does not answer: ${String(cause)}`);
        await setTimeout(50);
      }
    }
  }

  /** Asks, and does not wait for the answer. */
  async hangUp(afterMs: number): Promise<void> {
    await this.#count(AbortSignal.timeout(afterMs)).then(
      (answer) => this.#check(answer),
      () => {},
    );
  }

  /** Any request to the app, once. */
  async send(
    question: Pick<EndpointQuestion, "path" | "body" | "signal" | "onText"> & { port?: number },
  ): Promise<string> {
    const { endpoint, place } = this;
    return askEndpoint({ endpoint, token: await this.token(), port: 8080, caFile: place.caFile, ...question });
  }

  async suspend(): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const { state } = await this.state();
      if (state === "SUSPENDED" || state === "TERMINATED") return;
      if (performance.now() > deadline) throw new Broken(`${this.microvmId} does not fall asleep`);
      if (state === "RUNNING") await this.suspendOnce().catch(() => {});
      else await setTimeout(10);
    }
  }

  /** Asks for a suspend and does not look whether it comes. */
  async suspendOnce(): Promise<void> {
    await persist(() => this.place.client().send(new SuspendMicrovmCommand(this.#key)));
  }

  async resume(): Promise<void> {
    await persist(() => this.place.client().send(new ResumeMicrovmCommand(this.#key)));
  }

  async state(): Promise<{ state: string; reason: string }> {
    const view = await persist(() => this.place.client().send(new GetMicrovmCommand(this.#key)));
    return { state: view.state ?? "", reason: view.stateReason ?? "" };
  }

  async terminate(): Promise<void> {
    await persist(() => this.place.client().send(new TerminateMicrovmCommand(this.#key)));
  }

  /** For the endpoint, all ports. */
  async token(): Promise<string> {
    if (Date.now() < this.#token.until) return this.#token.text;
    const allowedPorts = [{ allPorts: {} }];
    const command = new CreateMicrovmAuthTokenCommand({ ...this.#key, expirationInMinutes: 60, allowedPorts });
    const { authToken } = await persist(() => this.place.client().send(command));
    this.#token = { text: authToken?.["X-aws-proxy-auth"] ?? "", until: Date.now() + TOKEN_MS };
    return this.#token.text;
  }

  get #key() {
    return { microvmIdentifier: this.microvmId };
  }

  #check(answer: string): void {
    const [memory, disk] = answer.trim().split(" ").map(Number);
    const least = this.#counted + 1;
    const most = least + this.#unknown.length;
    const isClean = /^\d+ \d+\n$/.test(answer);
    if (!isClean || memory === undefined || memory !== disk || !(memory >= least && memory <= most))
      throw new Broken(`${this.microvmId} counted ${answer.trim()}, which should be ${least} to ${most} twice`);
    this.#counted = memory;
    this.#unknown = this.#unknown.slice(memory - least).filter((at) => performance.now() - at < LATE_MS);
  }

  async #count(signal?: AbortSignal): Promise<string> {
    await this.token();
    try {
      return await this.send({ path: "/cgi-bin/count", signal });
    } catch (cause) {
      this.#unknown.push(performance.now());
      throw cause;
    }
  }
}
