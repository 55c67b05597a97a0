import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { processesWorkingIn } from "../../src/engine/qemu/process-identity.ts";
import { Broken, CountedMicrovm, type Place } from "../counted/counted-microvm.ts";
import { eventually } from "../support/eventually.ts";
import type { Random } from "../support/random.ts";
import { Fate } from "./fate.ts";
import type { SoakWorld, Tenancy } from "./soak-world.ts";
import { chooseOperation } from "./tenant-operations.ts";

const END_LIMIT_MS = 120_000;
const MEAN_PAUSE_MS = 600;

/** Has one microVM after another and does with it what comes to mind. */
export class Tenant implements Tenancy {
  readonly world: SoakWorld;
  readonly random: Random;
  readonly place: Place;
  fate = new Fate();
  #microvm: CountedMicrovm | undefined;

  constructor(world: SoakWorld, number: number) {
    this.world = world;
    this.random = world.randomOf(`tenant ${number}`);
    this.place = number % 2 === 0 ? world.places.counter : (world.places.ill ?? world.places.counter);
  }

  get isIll(): boolean {
    return this.place === this.world.places.ill;
  }

  /** The image of nothing but busybox has no sh. */
  get shell(): readonly string[] {
    return this.isIll ? ["sh"] : ["/bin/busybox", "sh"];
  }

  get current(): CountedMicrovm | undefined {
    return this.#microvm;
  }

  get microvm(): CountedMicrovm {
    if (this.#microvm === undefined) throw new Error("there is no microVM");
    return this.#microvm;
  }

  get directory(): string {
    return join(this.world.server.home, "microvms", this.microvm.microvmId);
  }

  async live(): Promise<void> {
    const { gate, isOver } = this.world;
    while (!isOver()) {
      await gate.pass(() => (this.#microvm === undefined ? this.#moveIn() : this.#act()));
      await setTimeout(this.random.next() * 2 * MEAN_PAUSE_MS);
    }
  }

  async machine(): Promise<number | undefined> {
    return (await processesWorkingIn(this.directory))[0];
  }

  async mourn(cause?: unknown): Promise<void> {
    const { microvm, world } = this;
    const end = await eventually<{ state: string; reason: string }>(
      `the end of ${microvm.microvmId}`,
      END_LIMIT_MS,
      async () => {
        const now = await microvm.state();
        return now.state === "TERMINATED" ? { done: now } : { saw: now.state };
      },
    );
    world.endings.add(this.fate.explain(microvm.microvmId, end, cause));
    this.#microvm = undefined;
  }

  /** The last request, to one that must live. */
  async sayGoodbye(): Promise<void> {
    if (this.#microvm !== undefined) await this.#withstand("a request", () => this.microvm.ask());
  }

  async moveOut(): Promise<void> {
    if (this.#microvm === undefined) return;
    this.fate.deal("terminated");
    await this.microvm.terminate();
    await this.mourn();
  }

  async #moveIn(): Promise<void> {
    this.fate = new Fate();
    await this.world.underWay.during("run", async () => {
      this.#microvm = await CountedMicrovm.run(this.place);
      await this.#withstand("a request", () => this.microvm.ask());
    });
    this.world.operations.add("run");
  }

  async #act(): Promise<void> {
    const { name, run } = chooseOperation(this);
    await this.#withstand(name, () => run(this));
    this.world.operations.add(name);
  }

  /** An operation that fails must have met a fault; whether its microVM may be gone by it, its fate tells. */
  async #withstand(name: string, operation: () => Promise<void>): Promise<void> {
    const { upheavals, operations } = this.world;
    const before = upheavals.mark;
    try {
      await operation();
    } catch (cause) {
      if (cause instanceof Broken) throw cause;
      const { state } = await this.microvm.state();
      if (state === "TERMINATED" || state === "TERMINATING") return this.mourn(cause);
      if (!upheavals.wasSince(before))
        throw new Broken(`"${name}" failed at ${this.microvm.microvmId} (${state})`, { cause });
      operations.add("cut off by a fault, done again later");
    }
  }
}
