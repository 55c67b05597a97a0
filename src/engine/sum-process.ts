import { spawn, type ChildProcessByStdio } from "node:child_process";
import { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { AppError } from "../errors/app-error.ts";
import { LineSplitter } from "../util/line-splitter.ts";

type Child = ChildProcessByStdio<Writable, Readable, null>;

/** What it says of a file with more stored than asked for. */
const LARGE = "-";

/**
 * native/sparse-sum as a server of its own: to start a program costs this one, whose memory is large, more than a sum
 * does. Starts with the first question, again after it ended, and keeps no process alive.
 */
export class SumProcess {
  readonly #program: string;
  #child: Child | undefined;
  #waiting: PromiseWithResolvers<string>[] = [];

  constructor(program: string) {
    this.#program = program;
  }

  /** Undefined when more than `mostBytes` are stored of the file. */
  async sum(path: string, mostBytes: number): Promise<string | undefined> {
    if (path.includes("\n")) throw failed(`a line break in the path ${path}`);
    const answer = await this.#ask(`${mostBytes} ${path}\n`);
    if (answer.startsWith("error ")) throw failed(answer.slice("error ".length));
    return answer === LARGE ? undefined : answer;
  }

  #ask(question: string): Promise<string> {
    const child = (this.#child ??= this.#start());
    const answer = Promise.withResolvers<string>();
    this.#waiting.push(answer);
    child.stdin.write(question);
    return answer.promise;
  }

  #start(): Child {
    const child = spawn(this.#program, ["--serve"], { stdio: ["pipe", "pipe", "ignore"], env: {} });
    const lines = new LineSplitter();
    child.stdout.on("data", (chunk: Buffer) => {
      for (const line of lines.push(chunk)) this.#waiting.shift()?.resolve(line);
    });
    for (const part of [child, child.stdin, child.stdout]) if (part instanceof Socket || part === child) part.unref();
    child.stdin.on("error", () => {}); // its end tells more
    child.once("error", (cause) => this.#giveUp(child, cause));
    child.once("close", () => this.#giveUp(child, undefined));
    return child;
  }

  #giveUp(child: Child, cause: unknown): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    for (const { reject } of this.#waiting.splice(0)) reject(failed(`${this.#program} ended`, cause));
  }
}

function failed(what: string, cause?: unknown): AppError {
  return new AppError("ERR_COMMAND_FAILED", { message: `A file could not be summed up: ${what}`, cause });
}
