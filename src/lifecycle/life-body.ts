import { join } from "node:path";
import type { LogDelivery } from "../logs/log-delivery.ts";
import { parseImageArn } from "../model/arn.ts";
import { EndpointDoor } from "./endpoint-door.ts";
import type { LifeContext } from "./life-context.ts";
import type { LifeTimers } from "./life-timers.ts";
import { LogPump } from "./log-pump.ts";
import type { RunningMachine } from "./machine-starter.ts";
import { viewOf } from "./microvm-view.ts";
import type { MicrovmRecord } from "./microvm-record.ts";

export const APP_LOG = "app.log";

export interface BodyEvents {
  /** The main process ended. */
  readonly onAppExited: (code: number) => void;
  /** The monitor process is gone, whoever ended it. */
  readonly onMachineGone: (running: RunningMachine) => void;
}

export interface BodyParts {
  readonly context: LifeContext;
  readonly record: MicrovmRecord;
  readonly timers: LifeTimers;
  readonly events: BodyEvents;
}

/** What the transitions of one microVM work on; one of them at a time. */
export class LifeBody {
  readonly context: LifeContext;
  readonly record: MicrovmRecord;
  readonly timers: LifeTimers;
  readonly door = new EndpointDoor();
  readonly #events: BodyEvents;
  readonly #hurry = new AbortController();
  #wantedEnd: string | undefined;
  #running: RunningMachine | undefined;
  #pump: LogPump | undefined;
  /** What the last pump read is on its way to the log stream. */
  #delivered: Promise<void> = Promise.resolve();

  constructor({ context, record, timers, events }: BodyParts) {
    this.context = context;
    this.record = record;
    this.timers = timers;
    this.#events = events;
  }

  get directory(): string {
    return join(this.context.microvmsDirectory, this.record.id);
  }

  /** Runs, or dozes; undefined when there is no process. */
  get running(): RunningMachine | undefined {
    return this.#running;
  }

  /** Aborted when the microVM is to end: nobody waits for its hooks any more. */
  get hurry(): AbortSignal {
    return this.#hurry.signal;
  }

  /** Why it is to end, once somebody wants it to. */
  get wantedEnd(): string | undefined {
    return this.#wantedEnd;
  }

  wantEnd(reason: string): void {
    this.#wantedEnd ??= reason;
    this.#hurry.abort();
  }

  hold(running: RunningMachine): void {
    if (this.#running === running) return;
    this.#running = running;
    void running.machine.exited.then(() => this.#events.onMachineGone(running));
    running.machine.onDiskFull(() =>
      this.context.log.error(
        { microvmId: this.record.id },
        "the disk of this host is full: the microVM stands still until there is room, and then goes on; end microVMs, delete images or objects",
      ),
    );
  }

  /** Ends the process and frees its slot; what is on disk stays. */
  async letGo(): Promise<void> {
    const running = this.#running;
    this.timers.doze(undefined);
    if (running === undefined) return;
    this.#running = undefined;
    await running.machine.kill();
    await running.slot
      .release()
      .catch((cause: unknown) =>
        this.context.log.error({ err: cause, microvmId: this.record.id }, "a network slot could not be freed"),
      );
    await this.record.tryUpdate({ machine_json: null });
  }

  followOutput(running: RunningMachine): void {
    this.#pump = new LogPump({
      link: running.link,
      file: join(this.directory, APP_LOG),
      fromOffset: Math.max(this.record.row.log_offset, running.outputOffset),
      openDelivery: () => this.#openDelivery(),
      onExit: this.#events.onAppExited,
    });
  }

  /** Returns how far the output was followed, to be recorded. */
  async stopOutput({ isFinal }: { isFinal: boolean } = { isFinal: false }): Promise<{ readonly log_offset: number }> {
    const pump = this.#pump;
    this.#pump = undefined;
    await pump?.stop();
    if (pump !== undefined) this.#delivered = pump.closeDelivery({ isFinal });
    if (isFinal) void this.#delivered.then(() => this.context.logs?.forget(this.record.id)).catch(() => {});
    return { log_offset: pump?.offset ?? this.record.row.log_offset };
  }

  /** Its log stream, as it is now: a role may have lost its rights since. */
  async #openDelivery(): Promise<LogDelivery | undefined> {
    await this.#delivered; // two deliveries of one source would both read on from the same offset
    const { record, context } = this;
    const { accountId, region, imageArn, imageVersion, executionRoleArn, logging, startedAt } = viewOf(record.row);
    try {
      const opening = await context.logs?.open({
        accountId,
        region,
        logging,
        roleArn: executionRoleArn,
        sourceArn: imageArn,
        imageName: parseImageArn(imageArn)?.name ?? "",
        imageVersion,
        id: record.id,
        startedAt,
      });
      return opening?.delivery;
    } catch (err) {
      context.log.error(
        { err, microvmId: record.id },
        "the log of a microVM cannot be opened; its output is in app.log",
      );
      return undefined;
    }
  }
}
