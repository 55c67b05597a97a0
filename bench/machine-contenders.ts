import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import type { BuiltImage } from "../src/build/image-builder.ts";
import { ENGINE_FILES } from "../src/engine/engine.ts";
import type { GuestLink } from "../src/guest-link/guest-link.ts";
import type { SlotLease, SlotPool } from "../src/network/slot-pool.ts";
import type { Cleanup } from "../src/util/cleanup.ts";
import { mustRun } from "../test/support/project.ts";
import type { Contender, Sample } from "./alternate.ts";
import { restoreMigration, saveMigration, startPlainQemu, whenUp, type PlainMachine } from "./plain-qemu.ts";
import { usageOf } from "./processes.ts";

const PORT = 8080;
/** Often enough to be exact, seldom enough to leave an emulated processor to the app. */
const POLL_MS = 20;
/** A first packet may be lost while the guest is not there yet. */
const ATTEMPT_MS = 3_000;
/** Of one request, and of all of them until the app answers. */
const LIMIT_MS = 300_000;

/** The image in the same virtual machine, without what Catnap does about it: booted anew, or restored as QEMU does it. */
export async function machineContenders(image: BuiltImage, slots: SlotPool, cleanup: Cleanup): Promise<Contender[]> {
  const directory = await mkdtemp(join(tmpdir(), "catnap-bench-machine-"));
  cleanup.add(() => rm(directory, { recursive: true, force: true }));
  const stage = new Stage(image, slots, directory);
  cleanup.add(() => stage.clear());
  const saved = join(directory, "migration");
  let isSaved = false;
  return [
    { name: "cold boot of the VM", round: () => stage.perform((slot) => stage.boot(slot)) },
    {
      name: "QEMU migration",
      async round() {
        if (!isSaved) await stage.save(saved);
        isSaved = true;
        return stage.perform((slot) => stage.restore(slot, saved));
      },
    },
  ];
}

class Stage {
  readonly #image: BuiltImage;
  readonly #slots: SlotPool;
  readonly #directory: string;
  #machine: PlainMachine | undefined;

  constructor(image: BuiltImage, slots: SlotPool, directory: string) {
    this.#image = image;
    this.#slots = slots;
    this.#directory = directory;
  }

  /** A slot is there beforehand, as ours has a pool of them. */
  async perform(start: (slot: SlotLease) => Promise<PlainMachine>): Promise<Sample> {
    const slot = await this.#slots.acquire();
    const begun = performance.now();
    try {
      const machine = await start(slot);
      await untilAppAnswers(machine.link);
      const ms = performance.now() - begun;
      return { ms, ...(await usageOf([machine.pid])) };
    } finally {
      await this.clear();
      await slot.release();
    }
  }

  /** Ends whatever machine there is. */
  async clear(): Promise<void> {
    await this.#machine?.end();
    this.#machine = undefined;
  }

  async boot(slot: SlotLease): Promise<PlainMachine> {
    const machine = (this.#machine = await startPlainQemu(
      await this.#spec(slot, join(this.#image.template.directory, ENGINE_FILES.templateUpper)),
    ));
    await whenUp(machine);
    await machine.link.start(this.#image.container);
    return machine;
  }

  /** Boots once and writes the answering machine to a file, as `restore` wants it. */
  async save(file: string): Promise<void> {
    const slot = await this.#slots.acquire();
    try {
      const machine = await this.boot(slot);
      await untilAppAnswers(machine.link);
      await saveMigration(machine, file);
      await copyDisk(join(this.#directory, ENGINE_FILES.upper), `${file}.upper`);
    } finally {
      await this.clear();
      await slot.release();
    }
  }

  async restore(slot: SlotLease, file: string): Promise<PlainMachine> {
    return (this.#machine = await restoreMigration(await this.#spec(slot, `${file}.upper`), file));
  }

  async #spec(slot: SlotLease, disk: string) {
    const upper = join(this.#directory, ENGINE_FILES.upper);
    await copyDisk(disk, upper);
    const { template, rootfs } = this.#image;
    return { directory: this.#directory, shape: template.shape, rootfs, upper, slot };
  }
}

async function copyDisk(from: string, to: string): Promise<void> {
  await mustRun("cp", ["--reflink=auto", "--sparse=always", from, to]);
}

async function untilAppAnswers(link: GuestLink): Promise<void> {
  const begun = performance.now();
  while (!(await answers(link).catch(() => false))) {
    if (performance.now() - begun > LIMIT_MS) throw new Error(`the app did not answer within ${LIMIT_MS} ms`);
    await setTimeout(POLL_MS);
  }
}

async function answers(link: GuestLink): Promise<boolean> {
  if ((await link.listeningPorts([PORT])).length === 0) return false;
  const stream = await link.relay(PORT, AbortSignal.timeout(ATTEMPT_MS));
  if (!(stream instanceof Duplex)) return false;
  const limit = AbortSignal.timeout(LIMIT_MS);
  limit.addEventListener("abort", () => stream.destroy(new Error("the app does not answer")));
  stream.write("GET / HTTP/1.1\r\nhost: app\r\nconnection: close\r\n\r\n");
  return /^HTTP\/1\.[01] 200 /.test(await text(stream));
}
