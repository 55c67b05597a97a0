import { randomUUID } from "node:crypto";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Kysely } from "kysely";
import { AppError } from "../errors/app-error.ts";
import type { MicrovmOwner, MicrovmPage } from "../store/microvm-store.ts";
import type { Database } from "../store/tables.ts";
import { runLimited } from "../util/run-limited.ts";
import type { LifeContext, StoredMachine } from "./life-context.ts";
import { MicrovmLife } from "./microvm-life.ts";
import type { EndpointDirectory, EndpointTarget, MicrovmService, MicrovmView, RunRequest } from "./microvm-service.ts";
import { storeRequest, viewOf } from "./microvm-view.ts";
import { STATE_REASONS } from "./state-reasons.ts";

/** How long TERMINATED microVMs stay readable; the service keeps them for about a day (observed 2.3). */
const TERMINATED_RETENTION_MS = 24 * 60 * 60 * 1000;

export interface SupervisorOptions extends LifeContext {
  readonly hostId: string;
  /** What follows the endpoint's label: ".lambda-microvm.<region>.<domain>[:port]". */
  readonly endpointSuffix: (region: string) => string;
}

/** A call that asks for a transition waits for its end this long: then the next read already shows it. */
const SETTLE_MS = 1_000;

/** Machines attached, or finished, at a time when the server starts. */
const RECOVERIES_AT_ONCE = 16;
/** Microvms that ran when the server went down, woken at a time. */
const WAKES_AT_ONCE = 4;

/** All microVMs of this host. Live ones are in memory, every change is in the store first. */
export class MicrovmSupervisor implements MicrovmService, EndpointDirectory {
  readonly #options: SupervisorOptions;
  readonly #byId = new Map<string, MicrovmLife>();
  readonly #byLabel = new Map<string, MicrovmLife>();
  readonly #goingDown = new AbortController();

  constructor(options: SupervisorOptions) {
    this.#options = { ...options, goingDown: this.#goingDown.signal };
    options.capacity?.onWanted(() => this.#endOneDoze());
  }

  async run(
    request: RunRequest,
    also?: (db: Kysely<Database>, view: MicrovmView) => Promise<void>,
  ): Promise<MicrovmView> {
    if (this.#goingDown.signal.aborted) throw new AppError("ERR_CANCELLED", { message: "The server goes down" });
    await this.#options.disk?.requireRoom();
    const room = await this.#options.capacity?.admit();
    try {
      const { life, view } = await this.#begin(request, also);
      life
        .start()
        .catch((err: unknown) => this.#options.log.error({ err, microvmId: life.microvmId }, "a start failed oddly"))
        .finally(() => room?.release());
      return view;
    } catch (cause) {
      room?.release();
      throw cause;
    }
  }

  /** On record, not started. */
  async #begin(
    request: RunRequest,
    also?: (db: Kysely<Database>, view: MicrovmView) => Promise<void>,
  ): Promise<{ life: MicrovmLife; view: MicrovmView }> {
    const now = Date.now();
    const label = randomUUID();
    const row = {
      id: `microvm-${randomUUID()}`,
      account_id: request.accountId,
      region: request.region,
      host_id: this.#options.hostId,
      image_arn: request.imageArn,
      image_version: request.imageVersion,
      build_id: request.buildId,
      state: "PENDING" as const,
      state_reason: null,
      endpoint_label: label,
      endpoint: `${label}${this.#options.endpointSuffix(request.region)}`,
      request_json: storeRequest(request),
      machine_json: null,
      image_json: null,
      log_offset: 0,
      parked: 0,
      last_activity_at: now,
      suspended_at: null,
      started_at: now,
      terminated_at: null,
    };
    const view = viewOf(row);
    await this.#options.store.insert(row, async (db) => also?.(db, view));
    return { life: this.#adopt(new MicrovmLife(this.#options, row)), view };
  }

  async get(microvmId: string): Promise<MicrovmView | undefined> {
    const row = this.#byId.get(microvmId)?.row ?? (await this.#options.store.find(microvmId));
    return row === undefined ? undefined : viewOf(row);
  }

  async list(owner: MicrovmOwner, page: MicrovmPage): Promise<MicrovmView[]> {
    const rows = await this.#options.store.list(owner, page);
    return rows.map((row) => viewOf(this.#byId.get(row.id)?.row ?? row)); // as get tells it
  }

  /** It does something that counts as use of it. */
  touch(microvmId: string): void {
    this.#byId.get(microvmId)?.touch();
  }

  async suspend(microvmId: string): Promise<"accepted" | "wrong-state"> {
    const life = this.#byId.get(microvmId);
    if (life?.state === "SUSPENDING" || life?.state === "SUSPENDED") return "accepted";
    if (life?.state !== "RUNNING") return "wrong-state";
    await settleSoon(life.suspend());
    return "accepted";
  }

  async resume(microvmId: string): Promise<"accepted" | "wrong-state"> {
    const life = this.#byId.get(microvmId);
    if (life === undefined || life.state === "TERMINATING") return "wrong-state";
    if (life.state === "SUSPENDED" || life.state === "SUSPENDING") {
      const resumed = life
        .resume()
        .catch((cause: unknown) =>
          this.#options.log.error({ err: cause, microvmId }, "resume failed; the microVM sleeps on"),
        );
      await settleSoon(resumed);
    }
    return "accepted";
  }

  async terminate(microvmId: string): Promise<void> {
    const life = this.#byId.get(microvmId);
    if (life !== undefined) await settleSoon(life.terminate(STATE_REASONS.terminated));
  }

  /** Binds the egress of every microVM with this connector again; one in a transition is bound after it. */
  async rebindEgress(connectorArn: string): Promise<void> {
    const bound = [...this.#byId.values()].map((life) =>
      life
        .rebindEgress(connectorArn)
        .catch((err: unknown) =>
          this.#options.log.error({ err, microvmId: life.microvmId }, "egress could not be bound again"),
        ),
    );
    await settleSoon(Promise.all(bound));
  }

  countLive(imageArn: string, imageVersion?: string): Promise<number> {
    return this.#options.store.countLive(imageArn, imageVersion);
  }

  find(endpointLabel: string): EndpointTarget | undefined {
    return this.#byLabel.get(endpointLabel);
  }

  /** Re-attaches what outlived the server, finishes what was interrupted, and removes what belongs to nobody. */
  async recover(): Promise<void> {
    const { store, engine, hostId, microvmsDirectory } = this.#options;
    await mkdir(microvmsDirectory, { recursive: true, mode: 0o700 });
    const rows = await store.listLive(hostId);
    const known = rows.flatMap((row) =>
      row.machine_json === null ? [] : [(JSON.parse(row.machine_json) as StoredMachine).handle.pid],
    );
    await engine.killStrays(microvmsDirectory, new Set(known));
    const lives = rows.map((row) => this.#adopt(new MicrovmLife(this.#options, row)));
    for (const row of await store.listTerminated(hostId))
      this.#byLabel.set(row.endpoint_label, new MicrovmLife(this.#options, row));
    await runLimited(lives, RECOVERIES_AT_ONCE, (life) => life.recover());
    await this.removeExpired();
    void this.#wakeParked(lives);
  }

  /** Behind the start: a request to one of them does not wait for its turn. */
  #wakeParked(lives: readonly MicrovmLife[]): Promise<void> {
    const parked = lives.filter((life) => life.isParked);
    return runLimited(parked, WAKES_AT_ONCE, (life) =>
      life
        .resume()
        .catch((err: unknown) =>
          this.#options.log.error(
            { err, microvmId: life.microvmId },
            "wake after start failed; the next request tries again",
          ),
        ),
    );
  }

  /** Forgets microVMs that ended long ago, and folders without a row. */
  async removeExpired(): Promise<void> {
    const { store, microvmsDirectory } = this.#options;
    for (const row of await store.purgeTerminated(Date.now() - TERMINATED_RETENTION_MS))
      this.#byLabel.delete(row.endpoint_label);
    for (const name of await readdir(microvmsDirectory)) {
      if (!this.#byId.has(name) && (await store.find(name)) === undefined)
        await rm(join(microvmsDirectory, name), { recursive: true, force: true });
    }
  }

  /** As parkAll, and for good: no request and no call starts or wakes one any more. */
  async goDown(): Promise<void> {
    this.#goingDown.abort();
    await this.parkAll();
  }

  /** Puts every running microVM to sleep: nothing runs on, nothing is lost. */
  async parkAll(onParked: (done: number, all: number) => void = () => {}): Promise<void> {
    const lives = [...this.#byId.values()];
    let done = 0;
    await Promise.all(lives.map((life) => life.park().finally(() => onParked(++done, lives.length))));
  }

  /** Ends the process of the microVM that dozes longest; false when none does. */
  async #endOneDoze(): Promise<boolean> {
    const dozing = [...this.#byId.values()].filter((life) => life.isDozing);
    const [first] = dozing.toSorted((a, b) => (a.row.suspended_at ?? 0) - (b.row.suspended_at ?? 0));
    await first?.endDoze();
    return first !== undefined;
  }

  #adopt(life: MicrovmLife): MicrovmLife {
    this.#byId.set(life.microvmId, life);
    this.#byLabel.set(life.row.endpoint_label, life);
    // The label stays: a request to an ended microVM is told so (contract 4.3), until its row expires.
    life.onEnded = () => this.#byId.delete(life.microvmId);
    return life;
  }
}

async function settleSoon(transition: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, SETTLE_MS)));
  await Promise.race([transition, limit]).finally(() => clearTimeout(timer));
}
