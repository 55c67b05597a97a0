import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { discardDifference } from "../engine/engine-files.ts";
import type { GuestLink } from "../guest-link/guest-link.ts";
import type { MicrovmState } from "../model/states.ts";
import type { MicrovmChange, MicrovmRow } from "../store/microvm-store.ts";
import { must } from "../util/assert.ts";
import { SerialQueue } from "../util/serial-queue.ts";
import { Deadline } from "./deadline.ts";
import type { LifeContext, StoredMachine } from "./life-context.ts";
import { LogPump } from "./log-pump.ts";
import { startMachine, wakeGuest, type RunningMachine, type StartRequest } from "./machine-starter.ts";
import type { EndpointTarget, WakeRefusal } from "./microvm-service.ts";
import { viewOf } from "./microvm-view.ts";

/** Why a microVM ended, in the service's words (contract 4.4). */
export const STATE_REASONS = {
  terminated: "Success.",
  lifetime: "MicroVM exceeded maximum lifetime.",
  lost: "The virtual machine of this MicroVM ended unexpectedly.",
  exited: (code: number) => `Container Stopped with Exit Code: ${code}`,
  startFailed: (why: string) => `The MicroVM could not be started: ${why}`,
} as const;

const APP_LOG = "app.log";

/** One microVM from PENDING to TERMINATED: its transitions run one at a time, each committed before the next. */
export class MicrovmLife implements EndpointTarget {
  readonly microvmId: string;
  readonly ingressNetworkConnectors: readonly string[];
  /** Called once, after TERMINATED is committed. */
  onEnded: () => void = () => {};
  readonly #context: LifeContext;
  readonly #queue = new SerialQueue();
  readonly #downListeners = new Set<() => void>();
  readonly #lifetime: Deadline;
  readonly #idle: Deadline;
  readonly #asleep: Deadline;
  readonly #doze: Deadline;
  #row: MicrovmRow;
  #running: RunningMachine | undefined;
  #pump: LogPump | undefined;
  #waking: Promise<GuestLink | WakeRefusal> | undefined;
  #lastActivity = Date.now();

  constructor(context: LifeContext, row: MicrovmRow) {
    this.#context = context;
    this.#row = row;
    this.microvmId = row.id;
    const { ingressNetworkConnectors, maximumDurationInSeconds } = viewOf(row);
    this.ingressNetworkConnectors = ingressNetworkConnectors;
    this.#lifetime = new Deadline(() => void this.terminate(STATE_REASONS.lifetime));
    this.#idle = new Deadline(() => this.#checkIdle());
    this.#asleep = new Deadline(() => void this.terminate(STATE_REASONS.lifetime));
    this.#doze = new Deadline(() => void this.#queue.run(() => this.#endDoze()));
    if (row.state !== "TERMINATED") this.#lifetime.set(row.started_at + maximumDurationInSeconds * 1000);
  }

  get row(): MicrovmRow {
    return this.#row;
  }

  get state(): MicrovmState {
    return this.#row.state;
  }

  /** The first start, from the image's template. */
  start(): Promise<void> {
    return this.#queue.run(async () => {
      if (this.state !== "PENDING") return;
      try {
        await this.#bringUp("template");
      } catch (cause) {
        this.#context.log.error({ err: cause, microvmId: this.microvmId }, "microVM did not start");
        await this.#end(STATE_REASONS.startFailed(cause instanceof Error ? cause.message : String(cause)));
      }
    });
  }

  /** Resolves with the outcome once the machine sleeps; a failed suspend leaves it running. */
  suspend(): Promise<void> {
    return this.#queue.run(async () => {
      if (this.state === "RUNNING" && this.#idlePolicy?.suspendedDurationSeconds === 0)
        await this.#end(STATE_REASONS.lifetime);
      else await this.#fallAsleep();
    });
  }

  resume(): Promise<void> {
    return this.#queue.run(async () => {
      if (this.state !== "SUSPENDED") return;
      await this.#update({ state: "PENDING" });
      this.#asleep.set(undefined);
      this.#doze.set(undefined);
      try {
        await (this.#running === undefined ? this.#bringUp("sleeper") : this.#wakeDozer(this.#running));
      } catch (cause) {
        // What was saved is untouched until the machine runs: a later wake may succeed.
        await this.#update({ state: "SUSPENDED" });
        this.#armSleepTimer();
        throw cause;
      }
    });
  }

  terminate(reason: string): Promise<void> {
    return this.#queue.run(async () => {
      if (this.state !== "TERMINATED") await this.#end(reason);
    });
  }

  /** Puts a running microVM to sleep and ends its process at once, for a server that goes down; the next start wakes it. */
  async park(): Promise<void> {
    await this.#queue.run(async () => {}); // a start or wake under way ends first
    if (this.state === "RUNNING") await this.#update({ parked: 1 });
    await this.#queue.run(() => this.#fallAsleep());
    await this.#queue.run(() => this.#endDoze());
  }

  async awake(signal: AbortSignal): Promise<GuestLink | WakeRefusal> {
    if (this.state === "RUNNING" && this.#running !== undefined) return this.#running.link;
    this.#waking ??= this.#wakeUp().finally(() => (this.#waking = undefined));
    return abandonable(this.#waking, signal);
  }

  touch(): void {
    this.#lastActivity = Date.now();
  }

  onDown(listener: () => void): () => void {
    this.#downListeners.add(listener);
    return () => this.#downListeners.delete(listener);
  }

  /** After a server restart: takes its machine over again or finishes what was interrupted. */
  recover(): Promise<void> {
    return this.#queue
      .run(async () => {
        const attached = await this.#reattach();
        if (this.state === "TERMINATING") return this.#end(this.#row.state_reason ?? STATE_REASONS.terminated);
        if (this.state === "SUSPENDED") {
          if (attached !== undefined) await this.#discardMachine(attached);
          if (this.#row.parked === 1)
            void this.resume().catch((cause: unknown) =>
              this.#context.log.error({ err: cause, microvmId: this.microvmId }, "wake after start failed"),
            );
          return this.#armSleepTimer();
        }
        if (attached !== undefined) {
          await attached.machine.unpause();
          await wakeGuest(attached.link);
          return this.#becomeRunning(attached);
        }
        if (this.state !== "PENDING") return this.#end(STATE_REASONS.lost);
        const isSleeper = this.#row.suspended_at !== null;
        await this.#bringUp(isSleeper ? "sleeper" : "template");
      })
      .catch(async (cause: unknown) => {
        this.#context.log.error({ err: cause, microvmId: this.microvmId }, "microVM could not be recovered");
        await this.terminate(STATE_REASONS.lost);
      });
  }

  get #directory(): string {
    return join(this.#context.microvmsDirectory, this.microvmId);
  }

  get #idlePolicy() {
    return viewOf(this.#row).idlePolicy;
  }

  async #wakeUp(): Promise<GuestLink | WakeRefusal> {
    await this.#queue.run(async () => {}); // a start or suspend under way comes first
    if (this.state === "SUSPENDED") {
      if (this.#idlePolicy?.autoResumeEnabled !== true) return { refused: "asleep" };
      try {
        await this.resume();
      } catch (cause) {
        return { refused: "failed", cause };
      }
    }
    return this.#running !== undefined && this.state === "RUNNING" ? this.#running.link : { refused: "gone" };
  }

  async #fallAsleep(): Promise<void> {
    const running = this.#running;
    if (this.state !== "RUNNING" || running === undefined) return;
    await this.#update({ state: "SUSPENDING" });
    this.#idle.set(undefined);
    this.#announceDown();
    await this.#stopPump();
    try {
      const { changedBytes } = await running.machine.suspend();
      this.#context.log.info({ microvmId: this.microvmId, changedBytes }, "microVM sleeps");
    } catch (cause) {
      this.#context.log.error({ err: cause, microvmId: this.microvmId }, "suspend failed; the microVM goes on");
      await running.machine.unpause();
      return this.#becomeRunning(running);
    }
    await this.#update({ state: "SUSPENDED", suspended_at: Date.now() });
    this.#armSleepTimer();
    this.#doze.set(Date.now() + this.#context.dozeMs);
  }

  async #bringUp(from: StartRequest["from"]): Promise<void> {
    const running = await startMachine(this.#context, { microvmId: this.microvmId, buildId: this.#row.build_id, from });
    await this.#becomeRunning(running);
  }

  async #wakeDozer(running: RunningMachine): Promise<void> {
    await running.machine.unpause();
    await wakeGuest(running.link);
    await this.#becomeRunning(running);
  }

  async #becomeRunning(running: RunningMachine): Promise<void> {
    this.#running = running;
    void running.machine.exited.then(() => this.#onMachineExited(running));
    this.#lastActivity = Date.now();
    await this.#update({ state: "RUNNING", suspended_at: null, parked: 0, last_activity_at: this.#lastActivity });
    await discardDifference(this.#directory);
    this.#pump = new LogPump({
      link: running.link,
      file: join(this.#directory, APP_LOG),
      fromOffset: this.#row.log_offset,
      onExit: (code) => void this.terminate(STATE_REASONS.exited(code)),
    });
    this.#armIdleTimer();
  }

  #onMachineExited(running: RunningMachine): void {
    if (this.#running === running && this.state === "RUNNING") void this.terminate(STATE_REASONS.lost);
  }

  async #endDoze(): Promise<void> {
    const running = this.#running;
    if (this.state !== "SUSPENDED" || running === undefined) return;
    await this.#discardMachine(running);
  }

  async #discardMachine(running: RunningMachine): Promise<void> {
    this.#doze.set(undefined);
    this.#running = undefined;
    await running.machine.kill();
    await running.slot.release();
    await this.#update({ machine_json: null });
  }

  async #end(reason: string): Promise<void> {
    for (const timer of [this.#lifetime, this.#idle, this.#asleep]) timer.set(undefined);
    if (this.state !== "TERMINATING") await this.#update({ state: "TERMINATING", state_reason: reason });
    this.#announceDown();
    const running = this.#running;
    if (running !== undefined) {
      await this.#discardMachine(running);
      await this.#stopPump();
    }
    await removeAllBut(this.#directory, APP_LOG);
    await this.#update({ state: "TERMINATED", state_reason: reason, terminated_at: Date.now() });
    this.#context.log.info({ microvmId: this.microvmId, reason }, "microVM ended");
    this.onEnded();
  }

  async #stopPump(): Promise<void> {
    const pump = this.#pump;
    this.#pump = undefined;
    await pump?.stop();
    if (pump !== undefined) await this.#update({ log_offset: pump.offset });
  }

  async #reattach(): Promise<RunningMachine | undefined> {
    if (this.#row.machine_json === null) return undefined;
    const { slot: number, handle } = JSON.parse(this.#row.machine_json) as StoredMachine;
    const slot = this.#context.slots.adopt(number);
    const attached = await this.#context.engine.attach(handle).catch(() => undefined);
    if (slot !== undefined && attached !== undefined && attached.state !== "incoming") {
      return { machine: attached.machine, slot, link: this.#context.openLink(slot.guest) };
    }
    await attached?.machine.kill();
    await slot?.release();
    await this.#update({ machine_json: null });
    return undefined;
  }

  #announceDown(): void {
    for (const listener of [...this.#downListeners]) listener();
    this.#downListeners.clear();
  }

  #armIdleTimer(): void {
    const policy = this.#idlePolicy;
    if (policy !== undefined) this.#idle.set(this.#lastActivity + policy.maxIdleDurationSeconds * 1000);
  }

  #checkIdle(): void {
    const policy = this.#idlePolicy;
    if (policy === undefined || this.state !== "RUNNING") return;
    if (Date.now() - this.#lastActivity >= policy.maxIdleDurationSeconds * 1000) void this.suspend();
    else this.#armIdleTimer();
  }

  #armSleepTimer(): void {
    const policy = this.#idlePolicy;
    if (policy !== undefined && this.#row.parked === 0)
      this.#asleep.set(must(this.#row.suspended_at, "a time of suspension") + policy.suspendedDurationSeconds * 1000);
  }

  async #update(change: MicrovmChange): Promise<void> {
    await this.#context.store.update(this.microvmId, change);
    this.#row = { ...this.#row, ...change };
  }
}

async function removeAllBut(directory: string, kept: string): Promise<void> {
  const names = await readdir(directory).catch(() => []);
  await Promise.all(
    names
      .filter((name) => !name.startsWith(kept))
      .map((name) => rm(join(directory, name), { recursive: true, force: true })),
  );
}

/** The promise's result, or a rejection as soon as the caller gives up; the work itself goes on for the others. */
function abandonable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason as Error);
  return new Promise((resolve, reject) => {
    const giveUp = () => reject(signal.reason as Error);
    signal.addEventListener("abort", giveUp, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", giveUp));
  });
}
