import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { processesWorkingIn } from "../../src/engine/qemu/process-identity.ts";
import { Broken, CountedMicrovm, LOST, type Place } from "../counted/counted-microvm.ts";
import { buildCounter } from "../counted/counter-image.ts";
import { newCatnapServer, type CatnapServer } from "../support/catnap-server.ts";
import { Random } from "../support/random.ts";

export interface ChaosOptions {
  /** Suspends and wakes in all. */
  readonly cycles: number;
  readonly seed: number;
  readonly microvms?: number;
  /** Between two kills by chance, of the server or of a machine. */
  readonly meanPauseSeconds?: number;
  /** Ends it before its time. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (report: ChaosReport) => void;
}

export interface ChaosReport {
  readonly seed: number;
  readonly seconds: number;
  readonly cycles: number;
  readonly requests: number;
  readonly serverKills: number;
  /** Of sleepers whose process was still there: nothing may be lost by it. */
  readonly dozerKills: number;
  /** Of machines at any moment: one that ran is lost, and must say so. */
  readonly machineKills: number;
  readonly endedAsTold: number;
}

/** Sleeps short enough that about half of the wakes are from disk. */
const DOZE_SECONDS = 0.2;
const MEAN_PAUSE_SECONDS = 4;
const MACHINE_KILL_SHARE = 0.15;
/** The end of a machine excuses the end of its microVM for so long. */
const EXCUSE_MS = 60_000;

/** Suspends and wakes microVMs while the server and the machines are killed. Throws Broken at the first loss. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const server = await newCatnapServer({ CATNAP_DOZE_SECONDS: String(DOZE_SECONDS) });
  try {
    await server.start();
    const place = await buildCounter(server);
    return await new Chaos({ server, place, ...options }).run();
  } finally {
    await server.dispose();
  }
}

interface ChaosParts extends ChaosOptions {
  readonly server: CatnapServer;
  readonly place: Place;
}

class Chaos {
  readonly #parts: ChaosParts;
  readonly #random: Random;
  readonly #begun = performance.now();
  readonly #counts = { cycles: 0, requests: 0, serverKills: 0, dozerKills: 0, machineKills: 0, endedAsTold: 0 };
  readonly #living = new Set<CountedMicrovm>();
  /** When the machines were killed whose microVM may have ended by it. */
  readonly #killed = new Map<string, number>();
  #failure: unknown;

  constructor(parts: ChaosParts) {
    this.#parts = parts;
    this.#random = new Random(parts.seed);
  }

  async run(): Promise<ChaosReport> {
    const clients = Array.from({ length: this.#parts.microvms ?? 4 }, () =>
      this.#live().catch((cause: unknown) => (this.#failure ??= cause)),
    );
    const killer = this.#kill().catch((cause: unknown) => (this.#failure ??= cause));
    await Promise.all([...clients, killer]);
    if (this.#failure !== undefined) throw this.#failure;
    await Promise.all([...this.#living].map((microvm) => microvm.terminate()));
    return this.#report();
  }

  get #isOver(): boolean {
    const { cycles, signal } = this.#parts;
    return this.#failure !== undefined || this.#counts.cycles >= cycles || signal?.aborted === true;
  }

  /** One microVM after another, each until the end or until its machine is killed. */
  async #live(): Promise<void> {
    while (!this.#isOver) {
      const microvm = await CountedMicrovm.run(this.#parts.place);
      this.#living.add(microvm);
      try {
        while (!this.#isOver) await this.#cycle(microvm);
      } catch (cause) {
        await this.#expectTold(microvm, cause);
      }
    }
  }

  async #cycle(microvm: CountedMicrovm): Promise<void> {
    for (let left = Math.floor(this.#random.next() * 3); left > 0; left--) await this.#ask(microvm);
    await microvm.suspend();
    if (this.#random.next() < 0.2) await this.#killDozer(microvm);
    else await setTimeout(this.#random.next() * 3 * DOZE_SECONDS * 1000);
    await this.#ask(microvm);
    this.#counts.cycles++;
    if (this.#counts.cycles % 10 === 0) this.#parts.onProgress?.(this.#report());
  }

  async #ask(microvm: CountedMicrovm): Promise<void> {
    await microvm.ask();
    this.#counts.requests++;
  }

  /** What ended a microVM must have been the end of its running machine, and it must say so. */
  async #expectTold(microvm: CountedMicrovm, cause: unknown): Promise<void> {
    this.#living.delete(microvm);
    const { state, reason } = await microvm.state();
    const wasKilled = performance.now() - (this.#killed.get(microvm.microvmId) ?? -Infinity) < EXCUSE_MS;
    if (cause instanceof Broken || state !== "TERMINATED" || reason !== LOST || !wasKilled)
      throw new Broken(`${microvm.microvmId} is ${state} (${reason || "no reason"})`, { cause });
    this.#counts.endedAsTold++;
  }

  /** Nobody else drives it now: what it was is on disk. */
  async #killDozer(microvm: CountedMicrovm): Promise<void> {
    if (await this.#killMachine(microvm)) this.#counts.dozerKills++;
  }

  async #kill(): Promise<void> {
    while (!this.#isOver) {
      await setTimeout(this.#random.next() * 2000 * (this.#parts.meanPauseSeconds ?? MEAN_PAUSE_SECONDS));
      const victims = [...this.#living];
      const victim = victims[Math.floor(this.#random.next() * victims.length)];
      if (victim !== undefined && this.#random.next() < MACHINE_KILL_SHARE) {
        this.#killed.set(victim.microvmId, performance.now());
        if (await this.#killMachine(victim)) this.#counts.machineKills++;
        continue;
      }
      await this.#parts.server.crash();
      this.#counts.serverKills++;
      await this.#parts.server.start();
    }
  }

  async #killMachine({ microvmId }: CountedMicrovm): Promise<boolean> {
    const [pid] = await processesWorkingIn(join(this.#parts.server.home, "microvms", microvmId));
    if (pid === undefined) return false;
    try {
      process.kill(pid, "SIGKILL");
      return true;
    } catch {
      return false; // it ended by itself
    }
  }

  #report(): ChaosReport {
    return { seed: this.#parts.seed, seconds: Math.round((performance.now() - this.#begun) / 1000), ...this.#counts };
  }
}
