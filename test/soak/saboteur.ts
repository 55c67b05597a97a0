import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { processesWorkingIn } from "../../src/engine/qemu/process-identity.ts";
import { homePaths } from "../../src/config/paths.ts";
import type { Random } from "../support/random.ts";
import { kill } from "./self-inflicted.ts";
import type { SoakWorld } from "./soak-world.ts";
import { readStore } from "./store-view.ts";
import { WORKS } from "./under-way.ts";

const MEAN_PAUSE_MS = 6_000;
/** Waits so long for work of a kind to strike in. */
const WORK_LIMIT_MS = 4_000;
/** How far into the work, at most. */
const MAX_DELAY_MS = 500;
/** Until the server surely knows that a machine is gone. */
const NOTICE_MS = 1_000;
/** How far into the start of a server, at most: a start takes about as long. */
const MAX_START_MS = 2_000;

/** Kills the server and machines, at random moments and in the midst of what is under way. */
export class Saboteur {
  readonly #world: SoakWorld;
  readonly #random: Random;

  constructor(world: SoakWorld) {
    this.#world = world;
    this.#random = world.randomOf("saboteur");
  }

  async live(): Promise<void> {
    const { gate, isOver } = this.#world;
    while (!isOver()) {
      await gate.pass(() => this.#strike());
      await setTimeout(this.#random.next() * 2 * MEAN_PAUSE_MS);
    }
  }

  #strike(): Promise<void> {
    const chance = this.#random.next();
    if (chance < 0.4) return this.#killServer();
    if (chance < 0.5) return this.#killStartingServer();
    if (chance < 0.55) return this.#restartServer();
    if (chance < 0.85) return this.#killMachine();
    if (chance < 0.93) return this.#killBuildMachine();
    return this.#killPreparedMachine();
  }

  async #killServer(): Promise<void> {
    const { server, underWay, faults, upheavals } = this.#world;
    await underWay.next(this.#random.pick(WORKS), WORK_LIMIT_MS);
    await setTimeout(this.#random.next() ** 2 * MAX_DELAY_MS);
    await upheavals.during(async () => {
      for (const work of underWay.now) faults.add(`kill -9 of the server while one or more were under way: ${work}`);
      await server.crash();
      faults.add("kill -9 of the server");
      await server.start();
    });
  }

  async #killStartingServer(): Promise<void> {
    const { server, faults, upheavals } = this.#world;
    await upheavals.during(async () => {
      await server.crash();
      await server.crashWhileStarting(this.#random.next() * MAX_START_MS);
      faults.add("kill -9 of the server while it started");
      await server.start();
    });
  }

  async #restartServer(): Promise<void> {
    const { server, faults, upheavals } = this.#world;
    await upheavals.during(async () => {
      await server.down();
      faults.add("server put down, and up again");
      await server.start();
    });
  }

  async #killMachine(): Promise<void> {
    const { server, tenants, faults, upheavals } = this.#world;
    const victims = [...tenants].filter(({ current }) => current !== undefined);
    if (victims.length === 0) return;
    const victim = this.#random.pick(victims);
    const { microvmId } = victim.microvm;
    const pid = await victim.machine();
    if (pid === undefined || victim.current?.microvmId !== microvmId) return;
    victim.fate.deal("machine killed");
    await upheavals.during(async () => {
      const row = readStore(homePaths(server.home).database).microvms.find(({ id }) => id === microvmId);
      if (kill(pid)) faults.add(`kill -9 of a machine: ${row?.state ?? "of no microVM"}`);
      await setTimeout(NOTICE_MS);
    });
  }

  async #killBuildMachine(): Promise<void> {
    const { server, underWay, faults, blows } = this.#world;
    await underWay.next("build", WORK_LIMIT_MS);
    for (let tries = 0; tries < 40; tries++) {
      const [pid] = await processesWorkingIn(homePaths(server.home).images);
      if (pid === undefined) await setTimeout(50);
      else {
        blows.onBuilds++;
        await setTimeout(this.#random.next() * MAX_DELAY_MS);
        if (kill(pid)) faults.add("kill -9 of a machine: of a build");
        return;
      }
    }
  }

  async #killPreparedMachine(): Promise<void> {
    const { server, faults } = this.#world;
    const [pid] = await processesWorkingIn(join(server.home, "prepared"));
    if (pid !== undefined && kill(pid)) faults.add("kill -9 of a machine: started ahead");
  }
}
