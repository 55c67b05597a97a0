import { AppError } from "../errors/app-error.ts";
import type { GuestLink } from "../guest-link/guest-link.ts";
import type { MicrovmState } from "../model/states.ts";
import type { MicrovmRow } from "../store/microvm-store.ts";
import { abandonable } from "../util/abandonable.ts";
import { SerialQueue } from "../util/serial-queue.ts";
import { startFromTemplate, wakeSleeper } from "./bring-up.ts";
import { endMicrovm } from "./end-microvm.ts";
import { fallAsleep } from "./fall-asleep.ts";
import { LifeBody } from "./life-body.ts";
import type { LifeContext } from "./life-context.ts";
import { LifeTimers } from "./life-timers.ts";
import type { RunningMachine } from "./machine-starter.ts";
import { MicrovmRecord } from "./microvm-record.ts";
import type { EndpointTarget, IdlePolicy, WakeRefusal } from "./microvm-service.ts";
import { viewOf } from "./microvm-view.ts";
import { recoverMicrovm } from "./recover-microvm.ts";
import { STATE_REASONS } from "./state-reasons.ts";

/** One microVM from PENDING to TERMINATED: its transitions run one at a time. */
export class MicrovmLife implements EndpointTarget {
  readonly microvmId: string;
  readonly ingressNetworkConnectors: readonly string[];
  /** Called once, after TERMINATED is committed. */
  onEnded: () => void = () => {};
  readonly #context: LifeContext;
  readonly #idlePolicy: IdlePolicy | undefined;
  readonly #queue = new SerialQueue();
  readonly #record: MicrovmRecord;
  readonly #body: LifeBody;
  #waking: Promise<GuestLink | WakeRefusal> | undefined;

  constructor(context: LifeContext, row: MicrovmRow) {
    this.#context = context;
    this.microvmId = row.id;
    const { ingressNetworkConnectors, maximumDurationInSeconds, idlePolicy } = viewOf(row);
    this.ingressNetworkConnectors = ingressNetworkConnectors;
    this.#idlePolicy = idlePolicy;
    this.#record = new MicrovmRecord(context, row);
    const timers = new LifeTimers(idlePolicy, {
      onLifetimeOver: () => this.#later(() => this.terminate(STATE_REASONS.lifetime)),
      onIdle: () => this.#later(() => this.#suspendIfIdle()),
      onSleptOut: () => this.#later(() => this.#endIfAsleep()),
      onDozeOver: () => this.#later(() => this.endDoze()),
    });
    this.#body = new LifeBody({
      context,
      record: this.#record,
      timers,
      events: {
        onAppExited: (code) => this.#later(() => this.#run(() => this.#end(STATE_REASONS.exited(code), false))),
        onMachineGone: (running) => this.#later(() => this.#onMachineGone(running)),
      },
    });
    if (row.state !== "TERMINATED") timers.endAt(row.started_at + maximumDurationInSeconds * 1000);
  }

  get row(): MicrovmRow {
    return this.#record.row;
  }

  get state(): MicrovmState {
    return this.#record.state;
  }

  /** The first start, from the image's template. */
  start(): Promise<void> {
    return this.#run(async () => {
      if (this.state !== "PENDING") return;
      if (this.#body.wantedEnd === undefined) await startFromTemplate(this.#body);
      else await this.#end(this.#body.wantedEnd, false);
    });
  }

  /** Resolves once the machine sleeps or goes on; a suspend that fails for the host's reasons leaves it running. */
  suspend(): Promise<void> {
    return this.#run(() => this.#suspend());
  }

  /** Rejects when it could not be woken; it then sleeps on. */
  resume(): Promise<void> {
    return this.#run(async () => {
      if (this.state !== "SUSPENDED") return;
      if (this.#context.goingDown?.aborted === true)
        throw new AppError("ERR_CANCELLED", { message: "The server goes down" });
      await this.#context.disk?.requireRoomToWake();
      await wakeSleeper(this.#body);
    });
  }

  /** Binds its egress again when what its connectors open has changed. */
  rebindEgress(connectorArn: string): Promise<void> {
    const { egressNetworkConnectors: connectors } = viewOf(this.row);
    if (!connectors.includes(connectorArn)) return Promise.resolve();
    return this.#run(async () => {
      await this.#body.running?.slot.setEgress(await this.#context.egressOf(connectors));
    });
  }

  /** Waits for no hook of a transition under way, except the last one. */
  terminate(reason: string): Promise<void> {
    this.#body.wantEnd(reason);
    return this.#run(() => this.#end(reason, this.state === "RUNNING"));
  }

  /** Puts a running microVM to sleep and ends its process at once, for a server that goes down; the next start wakes it. */
  park(): Promise<void> {
    return this.#run(async () => {
      await fallAsleep(this.#body, { isParking: true });
      if (this.state === "SUSPENDED") await this.#body.letGo();
    });
  }

  /** Asleep with its process still there. */
  get isDozing(): boolean {
    return this.state === "SUSPENDED" && this.#body.running !== undefined;
  }

  /** Lets the process go: the next wake is from disk. */
  endDoze(): Promise<void> {
    return this.#run(async () => {
      if (this.state === "SUSPENDED") await this.#body.letGo();
    });
  }

  async awake(signal: AbortSignal): Promise<GuestLink | WakeRefusal> {
    const link = this.#openLink;
    if (link !== undefined) return link;
    this.#waking ??= this.#wakeUp().finally(() => (this.#waking = undefined));
    return abandonable(this.#waking, signal);
  }

  enter(): (() => void) | undefined {
    return this.#body.door.enter();
  }

  touch(): void {
    this.#body.timers.idle.touch();
  }

  onDown(listener: () => void): () => void {
    return this.#body.door.onShut(listener);
  }

  /** After a server restart: takes its machine over again or finishes what was interrupted. */
  async recover(): Promise<void> {
    try {
      await this.#run(() => recoverMicrovm(this.#body));
    } catch (cause) {
      this.#context.log.error({ err: cause, microvmId: this.microvmId }, "microVM could not be recovered");
      if (this.state !== "SUSPENDED") await this.#run(() => this.#end(STATE_REASONS.lost, false));
    }
  }

  /** It ran when the last server went down, so it is to run now. */
  get isParked(): boolean {
    return this.state === "SUSPENDED" && this.row.parked === 1;
  }

  get #openLink(): GuestLink | undefined {
    return this.#body.door.isOpen ? this.#body.running?.link : undefined;
  }

  async #wakeUp(): Promise<GuestLink | WakeRefusal> {
    await this.#run(async () => {}); // a start or suspend under way comes first
    if (this.state === "SUSPENDED") {
      if (this.#context.goingDown?.aborted === true) return { refused: "gone" };
      if (this.#idlePolicy?.autoResumeEnabled !== true && !this.isParked) return { refused: "asleep" };
      try {
        await this.resume();
      } catch (cause) {
        return { refused: "failed", cause };
      }
    }
    return this.#openLink ?? { refused: "gone" };
  }

  async #suspend(): Promise<void> {
    // contract 4.2: 0 = terminate when suspending
    if (this.state === "RUNNING" && this.#idlePolicy?.suspendedDurationSeconds === 0)
      await this.#end(STATE_REASONS.lifetime, true);
    else await fallAsleep(this.#body, { isParking: false });
  }

  #suspendIfIdle(): Promise<void> {
    const { idle } = this.#body.timers;
    return this.#run(async () => {
      if (this.state !== "RUNNING") return;
      if (idle.isIdle) await this.#suspend();
      else idle.goOn(); // a request came while another transition ran
    });
  }

  #endIfAsleep(): Promise<void> {
    return this.#run(async () => {
      if (this.state === "SUSPENDED") await this.#end(STATE_REASONS.lifetime, false);
    });
  }

  #onMachineGone(running: RunningMachine): Promise<void> {
    return this.#run(async () => {
      if (this.#body.running !== running) return; // ended by us
      if (this.state === "RUNNING") return this.#end(STATE_REASONS.lost, false);
      await this.#body.letGo(); // it only dozed: what it was is on disk
    });
  }

  async #end(reason: string, tellApp: boolean): Promise<void> {
    if (this.state !== "TERMINATED") await endMicrovm(this.#body, { reason, tellApp });
  }

  #run(transition: () => Promise<void>): Promise<void> {
    return this.#queue.run(async () => {
      const hadEnded = this.#hasEnded;
      await transition().finally(() => {
        if (!hadEnded && this.#hasEnded) this.onEnded();
      });
    });
  }

  /** TERMINATED on record: until then it is remembered here. */
  get #hasEnded(): boolean {
    return this.state === "TERMINATED" && this.#record.isSaved;
  }

  /** For what nobody waits for. */
  #later(transition: () => Promise<void>): void {
    transition().catch((cause: unknown) =>
      this.#context.log.error({ err: cause, microvmId: this.microvmId, state: this.state }, "a transition failed"),
    );
  }
}
