import { setTimeout } from "node:timers/promises";
import { Broken } from "../counted/counted-microvm.ts";
import { newCatnapServer, type CatnapServer } from "../support/catnap-server.ts";
import { eventually } from "../support/eventually.ts";
import { Random } from "../support/random.ts";
import { findDisagreements, findRemains } from "./agreement.ts";
import { Gate } from "./gate.ts";
import { ImageKeeper } from "./image-keeper.ts";
import { Saboteur } from "./saboteur.ts";
import { endEverything } from "./end-everything.ts";
import { readLoggedErrors, saveDump } from "./soak-dump.ts";
import { buildPlaces } from "./soak-images.ts";
import { Tally, type SoakReport } from "./soak-report.ts";
import type { SoakWorld } from "./soak-world.ts";
import { Tenant } from "./tenant.ts";
import { UnderWay } from "./under-way.ts";
import { Upheavals } from "./upheavals.ts";

export interface SoakOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly microvms?: number;
  /** Makers and removers of images. */
  readonly imageKeepers?: number;
  /** Half of the microVMs run an app that behaves badly; its image takes long to build. */
  readonly withIll?: boolean;
  readonly onProgress?: (report: SoakReport) => void;
}

/** Short, so that many wakes are from disk. */
const DOZE_SECONDS = 1;
const PROGRESS_MS = 5_000;
const AGREEMENT_EVERY_MS = 60_000;
const SETTLE_MS = 120_000;

/** Random work and random faults, for so long. Throws Broken at the first thing that is not as it must be. */
export async function runSoak(options: SoakOptions): Promise<SoakReport> {
  const server = await newCatnapServer({ CATNAP_DOZE_SECONDS: String(DOZE_SECONDS) });
  try {
    await server.start();
    return await new Soak(server, options).run();
  } catch (cause) {
    const dump = await saveDump(server.home, options.seed);
    throw new Broken(`seed ${options.seed}: ${describe(cause)}\nThe server's log and store are in ${dump}`, { cause });
  } finally {
    await server.dispose().catch((cause: unknown) => process.stderr.write(`${describe(cause)}\n`));
  }
}

class Soak {
  readonly #server: CatnapServer;
  readonly #options: SoakOptions;
  readonly #begun = performance.now();
  readonly #tallies = { operations: new Tally(), faults: new Tally(), endings: new Tally() };
  readonly #failed = Promise.withResolvers<never>();
  #agreements = 0;
  #isOver = false;

  constructor(server: CatnapServer, options: SoakOptions) {
    this.#server = server;
    this.#options = options;
    this.#failed.promise.catch(() => {}); // everybody who waits for it is told
  }

  async run(): Promise<SoakReport> {
    const { microvms = 20, imageKeepers = 2, minutes, onProgress = () => {} } = this.#options;
    const world = await this.#makeWorld();
    const tenants = Array.from({ length: microvms }, (_, number) => new Tenant(world, number));
    for (const tenant of tenants) world.tenants.add(tenant);
    const keepers = Array.from({ length: imageKeepers }, (_, number) => new ImageKeeper(world, number));
    const start = (one: { live(): Promise<void> }) => one.live().catch((cause: unknown) => this.#fail(cause));
    const sabotage = start(new Saboteur(world));
    const progress = setInterval(() => void this.#report().then(onProgress), PROGRESS_MS);
    try {
      const lives = [...tenants, ...keepers].map(start);
      const checks = this.#check(world).catch((cause: unknown) => this.#fail(cause));
      await Promise.race([setTimeout(minutes * 60_000), this.#failed.promise]);
      this.#isOver = true;
      await Promise.race([Promise.all([...lives, sabotage, checks]), this.#failed.promise]);
      await Promise.race([Promise.all(tenants.map((tenant) => tenant.sayGoodbye())), this.#failed.promise]);
      await this.#agree();
      await endEverything(world);
      await this.#agree();
      await this.#server.down();
      await holds("nothing is left", () => findRemains(this.#server.home));
      return await this.#report();
    } finally {
      this.#isOver = true;
      clearInterval(progress);
      await sabotage; // or it would start a server where one is being removed
    }
  }

  async #makeWorld(): Promise<SoakWorld> {
    const { seed, withIll = true } = this.#options;
    const places = await buildPlaces(this.#server, { withIll });
    return {
      server: this.#server,
      client: places.counter.client,
      places,
      gate: new Gate(),
      underWay: new UnderWay(),
      ...this.#tallies,
      tenants: new Set(),
      upheavals: new Upheavals(),
      blows: { onBuilds: 0 },
      isOver: () => this.#isOver,
      randomOf: (name) => new Random([...name].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), seed)),
    };
  }

  /** Now and then everybody waits, and all that is must agree. */
  async #check({ gate }: SoakWorld): Promise<void> {
    for (;;) {
      for (let waited = 0; waited < AGREEMENT_EVERY_MS && !this.#isOver; waited += 500) await setTimeout(500);
      if (this.#isOver) return;
      await gate.alone(() => this.#agree());
    }
  }

  async #agree(): Promise<void> {
    await holds("all agree", () => findDisagreements(this.#server.home));
    this.#agreements++;
  }

  #fail(cause: unknown): void {
    this.#isOver = true;
    this.#failed.reject(cause);
  }

  async #report(): Promise<SoakReport> {
    const { operations, faults, endings } = this.#tallies;
    return {
      seed: this.#options.seed,
      microvms: this.#options.microvms ?? 20,
      seconds: Math.round((performance.now() - this.#begun) / 1000),
      operations: operations.counts,
      faults: faults.counts,
      endings: endings.counts,
      agreements: this.#agreements,
      loggedErrors: await readLoggedErrors(this.#server.home),
    };
  }
}

async function holds(what: string, find: () => Promise<string[]>): Promise<void> {
  try {
    await eventually(what, SETTLE_MS, async () => {
      const found = await find();
      return found.length === 0 ? { done: undefined } : { saw: `\n  ${found.join("\n  ")}` };
    });
  } catch (cause) {
    throw new Broken(describe(cause), { cause });
  }
}

function describe(cause: unknown): string {
  const parts: string[] = [];
  for (let error = cause; error instanceof Error; error = error.cause) parts.push(error.message);
  return [...new Set(parts)].join("\n  because: ");
}
