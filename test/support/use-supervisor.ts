import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, vi } from "vitest";
import type { GuestEvent, GuestIdentity, GuestLink, GuestStatus } from "../../src/guest-link/guest-link.ts";
import type { HostCapacity } from "../../src/lifecycle/host-capacity.ts";
import type { Templates } from "../../src/images/templates.ts";
import { MicrovmSupervisor } from "../../src/lifecycle/microvm-supervisor.ts";
import type { IdlePolicy, MicrovmView, RunRequest } from "../../src/lifecycle/microvm-service.ts";
import type { LogDestinations } from "../../src/logs/log-destination.ts";
import type { EgressPolicy } from "../../src/model/egress-policy.ts";
import type { HookSettings } from "../../src/model/hooks.ts";
import { Meter } from "../../src/metering/meter.ts";
import { servicePrices } from "../../src/model/prices.ts";
import { must } from "../../src/util/assert.ts";
import { microvmStore, type MicrovmStore } from "../../src/store/microvm-store.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite-store.ts";
import type { Store } from "../../src/store/store.ts";
import type { DiskReserve } from "../../src/util/disk-reserve.ts";
import { gated, OPEN_GATE, type Gate } from "./gated.ts";
import { MemoryEngine } from "./memory-engine.ts";
import { plainTemplates } from "./plain-templates.ts";

const ACCOUNT = "123456789012";
const ARN = `arn:aws:lambda:us-east-1:${ACCOUNT}:microvm-image:app`;
export const POLICY: IdlePolicy = {
  maxIdleDurationSeconds: 300,
  suspendedDurationSeconds: 300,
  autoResumeEnabled: true,
};
const FIRST_SLOT = 0;

export interface HookSeen {
  readonly hook: string;
  readonly body: string;
}

type HookAnswer = (request: IncomingMessage, response: ServerResponse) => void;

/** A guest without a machine: what its app answers to hooks, when its main process ends. */
export class ScriptedGuest {
  readonly wakes: number[] = [];
  /** With the number of wakes before. */
  readonly identities: (GuestIdentity & { wakes: number })[] = [];
  readonly hooksSeen: HookSeen[] = [];
  status: GuestStatus = { app: "running", pid: 2 };
  /** By hook name; 200 where nothing is said. */
  readonly answers = new Map<string, HookAnswer>();
  hookPort: number | undefined;
  failWake = false;
  readonly #exit = Promise.withResolvers<number>();
  readonly #output: Extract<GuestEvent, { kind: "output" }>[] = [];
  #printed = Promise.withResolvers<void>();

  /** The app prints a line. */
  print(line: string, stream: "stdout" | "stderr" = "stdout"): void {
    const last = this.#output.at(-1);
    const offset = last === undefined ? 0 : last.offset + last.bytes.length;
    this.#output.push({ kind: "output", offset, stream, bytes: Buffer.from(`${line}\n`) });
    this.#printed.resolve();
    this.#printed = Promise.withResolvers();
  }

  exit(code: number): void {
    this.#exit.resolve(code);
  }

  answer(hook: string, status: number): void {
    this.answers.set(hook, (_request, response) => void response.writeHead(status).end());
  }

  readonly link = {
    identify: async (identity: GuestIdentity) => void this.identities.push({ ...identity, wakes: this.wakes.length }),
    wake: async () => {
      if (this.failWake) throw new Error("the guest does not wake, on request");
      this.wakes.push(Date.now());
    },
    status: async () => this.status,
    relay: async () => {
      if (this.hookPort === undefined) return { refused: "port-closed" as const };
      const socket = connect({ port: this.hookPort, host: "127.0.0.1", allowHalfOpen: true });
      await once(socket, "connect");
      return socket;
    },
    events: (from: number, signal: AbortSignal) => this.#events(from, signal),
  } as Partial<GuestLink> as GuestLink;

  /** Serves the hooks' port from here on. */
  async listen(): Promise<void> {
    const server = createServer(async (request, response) => {
      const hook = request.url?.split("/").at(-1) ?? "";
      this.hooksSeen.push({ hook, body: await text(request) });
      (this.answers.get(hook) ?? ((_, plain) => void plain.writeHead(200).end()))(request, response);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    this.hookPort = (server.address() as AddressInfo).port;
  }

  async *#events(from: number, signal: AbortSignal): AsyncGenerator<GuestEvent> {
    const aborted = new Promise<undefined>((resolve) => {
      if (signal.aborted) resolve(undefined);
      signal.addEventListener("abort", () => resolve(undefined));
    });
    for (let at = 0; ; at++) {
      while (at === this.#output.length && !signal.aborted) {
        const code = await Promise.race([this.#exit.promise, this.#printed.promise, aborted]);
        if (code === undefined || at < this.#output.length) continue;
        yield { kind: "exited", code };
        return;
      }
      const event = this.#output[at];
      if (signal.aborted || event === undefined) return;
      if (event.offset >= from) yield event;
    }
  }
}

export interface SupervisorSetting {
  readonly hooks?: HookSettings;
  readonly dozeMs?: number;
  readonly capacity?: HostCapacity;
  readonly disk?: DiskReserve;
  /** Opened anew by each server. */
  readonly logs?: () => LogDestinations;
  /** Work of its processors keeps a microVM from being idle. */
  readonly countsWork?: boolean;
  readonly freshIdentity?: boolean;
  /** Instead of those on record as they are. */
  readonly templates?: Templates;
}

/** A supervisor over machines in memory, and a way to restart it. */
export async function useSupervisor({
  hooks,
  dozeMs = 60_000,
  capacity,
  disk,
  logs,
  ...options
}: SupervisorSetting = {}) {
  const home = await mkdtemp(join(tmpdir(), "catnap-life-"));
  const store = openSqliteStore(":memory:");
  onTestFinished(async () => {
    await store.close();
    await rm(home, { recursive: true, force: true });
  });
  await insertImage(store, home, hooks);
  const engine = new MemoryEngine();
  const guest = new ScriptedGuest();
  if (hooks !== undefined) await guest.listen();
  const leased = new Set<number>();
  /** Since the last start. */
  const adopted = new Set<number>();
  /** What each slot was last told. */
  const egress = new Map<number, EgressPolicy>();
  const connectors = { policy: { kind: "internet" } as EgressPolicy };
  const lease = (number: number) => {
    leased.add(number);
    adopted.add(number);
    return {
      number,
      network: { namespace: "n", tap: "t", mac: "m", userId: 1 },
      guest: { host: "127.0.0.1", port: 1 },
      setEgress: async (policy: EgressPolicy) => void egress.set(number, policy),
      release: async () => void leased.delete(number),
    };
  };
  let nextSlot = FIRST_SLOT;
  let meter: Meter | undefined;
  let current: MicrovmSupervisor | undefined;
  const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const rows = failingStore(microvmStore(store));
  const slots = {
    acquire: async () => lease(nextSlot++),
    adopt: (number: number) => (leased.has(number) ? lease(number) : undefined),
  };
  const newMeter = () =>
    (meter = new Meter({
      store,
      engine,
      log: log as never,
      hostId: "h",
      microvmsDirectory: join(home, "microvms"),
      pricesOf: servicePrices,
      ...(options.countsWork && { onBusy: ({ microvmId }) => current?.touch(microvmId) }),
    }));
  const templates = () => options.templates ?? plainTemplates(store);
  const restart = (gate: Gate = OPEN_GATE) => {
    adopted.clear();
    return (current = new MicrovmSupervisor({
      engine: gated(engine, gate),
      templates: gated(templates(), gate),
      slots: gated(slots, gate),
      openLink: () => gated(guest.link, gate),
      egressOf: async () => connectors.policy,
      store: gated(rows.store, gate),
      meter: newMeter(),
      logs: logs?.(),
      capacity,
      disk,
      freshIdentity: options.freshIdentity,
      log: log as never,
      microvmsDirectory: join(home, "microvms"),
      dozeMs,
      hostId: "h",
      endpointSuffix: (region) => `.lambda-microvm.${region}.localhost`,
    }));
  };
  const supervisor = restart();
  await supervisor.recover();
  const directoryOf = (view: MicrovmView) => join(home, "microvms", view.microvmId);
  const isSlotInUse = (number: number) => adopted.has(number);
  return {
    supervisor,
    engine,
    guest,
    leased,
    restart,
    log,
    rows,
    store,
    directoryOf,
    isSlotInUse,
    egress,
    connectors,
    /** Of the server that was started last. */
    meter: () => must(meter, "a meter"),
  };
}

/** A full disk, by order: updates throw while `isFull`. */
function failingStore(store: MicrovmStore) {
  const state = {
    isFull: false,
    store: {
      ...store,
      update: async (...[id, change, also]: Parameters<MicrovmStore["update"]>) => {
        if (state.isFull) throw new Error("database or disk is full");
        await store.update(id, change, also);
      },
    },
  };
  return state;
}

async function insertImage(store: Store, home: string, hooks: HookSettings | undefined): Promise<void> {
  const image = {
    template: { directory: join(home, "image"), shape: { memoryMiB: 1, vcpus: 1 }, fingerprint: "test" },
    rootfs: "/none",
    container: {},
    hooks,
  };
  await mkdir(image.template.directory);
  await writeFile(join(image.template.directory, "disk.upper"), "0");
  await insertBuiltImage(store, image);
}

/** The image that `runRequest` names, as if it had been built. */
export async function insertBuiltImage({ db }: Store, image: object): Promise<void> {
  await db
    .insertInto("images")
    .values({
      arn: ARN,
      account_id: ACCOUNT,
      region: "us-east-1",
      name: "app",
      state: "CREATED",
      last_version: 1,
      tags_json: "{}",
      created_at: 1,
      updated_at: null,
    })
    .execute();
  await db
    .insertInto("image_versions")
    .values({
      image_arn: ARN,
      version: "1.0",
      number: 1,
      state: "SUCCESSFUL",
      status: "ACTIVE",
      request_json: "{}",
      state_reason: null,
      created_at: 1,
      updated_at: null,
    })
    .execute();
  await db
    .insertInto("image_builds")
    .values({
      build_id: "b1",
      image_arn: ARN,
      version: "1.0",
      host_id: "h",
      state: "SUCCESSFUL",
      architecture: "X86_64",
      chipset: "GENERIC",
      chipset_generation: "1",
      state_reason: null,
      sizes_json: null,
      template_json: JSON.stringify(image),
      created_at: 1,
    })
    .execute();
}

export function runRequest(over: Partial<RunRequest> = {}): RunRequest {
  return {
    accountId: ACCOUNT,
    region: "us-east-1",
    imageArn: ARN,
    imageVersion: "1.0",
    buildId: "b1",
    idlePolicy: POLICY,
    maximumDurationInSeconds: 28800,
    ingressNetworkConnectors: [],
    egressNetworkConnectors: [],
    ...over,
  };
}

/** A microVM that is RUNNING. */
export async function useRunning(supervisor: MicrovmSupervisor, over: Partial<RunRequest> = {}): Promise<MicrovmView> {
  return reaches(supervisor, await supervisor.run(runRequest(over)), "RUNNING");
}

export function reaches(
  supervisor: MicrovmSupervisor,
  { microvmId }: MicrovmView,
  state: MicrovmView["state"],
): Promise<MicrovmView> {
  return vi.waitFor(
    async () => {
      const view = await supervisor.get(microvmId);
      expect(view?.state).toBe(state);
      return view as MicrovmView;
    },
    { timeout: 10_000, interval: 5 },
  );
}

/** What a request to the endpoint gets. */
export function knock(supervisor: MicrovmSupervisor, view: MicrovmView, signal = new AbortController().signal) {
  const target = supervisor.find(view.endpoint.split(".")[0] ?? "");
  if (target === undefined) throw new Error("no such endpoint");
  return target.awake(signal);
}
