import type { GuestLink } from "../guest-link/guest-link.ts";
import type { BuildLog } from "./build-log.ts";
import { LineSplitter } from "../util/line-splitter.ts";

/** Marks the app's own output in the build log. */
export const APP_PREFIX = "app | ";

export interface AppOutput {
  /** Settles when the app, or its machine, has nothing left to say. */
  readonly ended: Promise<void>;
  /** Everything before it was followed; bytes from the app's start on. */
  readonly offset: number;
  stop(): Promise<void>;
}

export interface FollowOptions {
  readonly link: GuestLink;
  readonly log: BuildLog;
  readonly signal: AbortSignal;
  readonly fromOffset: number;
}

/** The app's output during the build, line by line into the build log. */
export function followOutput({ link, log, signal, fromOffset }: FollowOptions): AppOutput {
  const stopping = new AbortController();
  const splitters = { stdout: new LineSplitter(), stderr: new LineSplitter() };
  let offset = fromOffset;
  const ended = (async () => {
    for await (const event of link.events(fromOffset, AbortSignal.any([signal, stopping.signal]))) {
      if (event.kind === "exited") return;
      if (event.kind === "dropped") log.line(`${APP_PREFIX}(${event.bytes} bytes were printed too fast to be kept)`);
      if (event.kind !== "output") continue;
      offset = event.offset + event.bytes.length;
      for (const line of splitters[event.stream].push(event.bytes)) log.line(`${APP_PREFIX}${line}`);
    }
  })()
    .catch(() => {}) // the stream ends with the machine
    .finally(() => {
      for (const line of [...splitters.stdout.end(), ...splitters.stderr.end()]) log.line(`${APP_PREFIX}${line}`);
    });
  return {
    ended,
    get offset() {
      return offset;
    },
    async stop() {
      stopping.abort();
      await ended;
    },
  };
}
