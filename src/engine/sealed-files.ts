import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { AppError } from "../errors/app-error.ts";
import { must } from "../util/assert.ts";
import { runCommand } from "../util/run-command.ts";
import { SumProcess } from "./sum-process.ts";

/** What a file that is never written again was like when it was whole. */
export interface FileSeal {
  /** Size, inode, and times of change: the same as long as nobody touched the file. */
  readonly look: string;
  /** Of its content, by native/sparse-sum. */
  readonly sum: string;
}

/**
 * Seals of files that are too large to be read at every use. Each use looks at them, which is nothing; only one that looks
 * touched is read, since a copy or a restored backup has other times but the same content. What the disk itself forgets
 * shows in no look: for that there is `verify`.
 */
export class SealedFiles {
  readonly #program: string;
  readonly #sums: SumProcess;
  /** Looks of files whose content was found right, or wrong, since this server started. */
  readonly #whole = new Map<string, string>();
  readonly #damaged = new Map<string, string>();

  constructor(program: string) {
    this.#program = program;
    this.#sums = new SumProcess(program);
  }

  async seal(path: string): Promise<FileSeal> {
    const sum = must(await this.#sums.sum(path, Number.MAX_SAFE_INTEGER), "the sum of a file");
    return { look: await lookOf(path), sum };
  }

  /** Whether the file is as it was sealed, as far as can be told without reading it. */
  async isWhole(path: string, seal: FileSeal): Promise<boolean> {
    const look = await lookOf(path).catch(() => undefined);
    if (look === undefined || this.#damaged.get(path) === look) return false;
    if (look === seal.look || this.#whole.get(path) === look) return true;
    return this.#judge(path, seal, await this.#sums.sum(path, Number.MAX_SAFE_INTEGER));
  }

  /** The same by reading all of it from the disk, past what the kernel holds of it. */
  async verify(path: string, seal: FileSeal): Promise<boolean> {
    return this.#judge(path, seal, await this.#sumFromDisk(path));
  }

  /** Of a disk as it is now; undefined when more than `mostBytes` are stored of it. */
  sumUpTo(path: string, mostBytes: number): Promise<string | undefined> {
    return this.#sums.sum(path, mostBytes);
  }

  async #judge(path: string, seal: FileSeal, sum: string | undefined): Promise<boolean> {
    const isRight = sum === seal.sum;
    const look = await lookOf(path).catch(() => "gone");
    (isRight ? this.#whole : this.#damaged).set(path, look);
    (isRight ? this.#damaged : this.#whole).delete(path);
    return isRight;
  }

  /** A program of its own: it takes long, and others would wait behind it. Undefined when the disk does not give it back. */
  #sumFromDisk(path: string): Promise<string | undefined> {
    return runCommand(this.#program, ["--disk", path]).then(
      ({ stdout }) => stdout.trim(),
      () => undefined,
    );
  }
}

export function damagedFile(path: string, what: string): AppError {
  return new AppError("ERR_ENGINE_SNAPSHOT", {
    message: `${what} is damaged: the content of ${basename(path)} is not what was written`,
    details: { path },
  });
}

async function lookOf(path: string): Promise<string> {
  const { size, ino, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
  return [size, ino, mtimeNs, ctimeNs].join(" ");
}
