import { constants } from "node:os";
import { z } from "zod";
import { BuildFailure } from "../errors/build-failure.ts";
import type { ContainerConfig } from "../model/container.ts";
import type { Buildah } from "./buildah.ts";

const SIGTERM = constants.signals.SIGTERM;
/** What container runtimes give a process whose image sets none. */
const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const imageSchema = z.object({
  OCIv1: z.object({
    config: z
      .object({
        User: z.string().optional(),
        ExposedPorts: z.record(z.string(), z.unknown()).nullish(),
        Env: z.array(z.string()).nullish(),
        Entrypoint: z.array(z.string()).nullish(),
        Cmd: z.array(z.string()).nullish(),
        WorkingDir: z.string().optional(),
        StopSignal: z.string().optional(),
      })
      .default({}),
    rootfs: z.object({ diff_ids: z.array(z.string()) }),
  }),
});

export interface ImageDescription {
  readonly container: Omit<ContainerConfig, "allCapabilities">;
  /** Digests of the layers: equal for equal file systems. */
  readonly layers: readonly string[];
}

/** What the built image says of itself, as the guest needs it. */
export async function describeImage(
  buildah: Buildah,
  imageId: string,
  environment: Readonly<Record<string, string>>,
): Promise<ImageDescription> {
  const { OCIv1: image } = imageSchema.parse(JSON.parse(await buildah.line("inspect", "--type", "image", imageId)));
  const { config } = image;
  const argv = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
  if (argv.length === 0) {
    throw new BuildFailure(
      "CONTAINER_BUILD_FAILED",
      "Failed to start container: the image has neither ENTRYPOINT nor CMD; add a CMD line to the Dockerfile",
    );
  }
  return {
    container: {
      argv,
      env: { PATH: DEFAULT_PATH, ...parseEnvironment(config.Env ?? []), ...environment },
      workingDir: config.WorkingDir === undefined || config.WorkingDir === "" ? "/" : config.WorkingDir,
      user: config.User ?? "",
      exposedTcpPorts: Object.keys(config.ExposedPorts ?? {}).flatMap(parsePort),
      stopSignal: parseSignal(config.StopSignal),
    },
    layers: image.rootfs.diff_ids,
  };
}

function parseEnvironment(entries: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    entries
      .filter((entry) => entry.includes("="))
      .map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]),
  );
}

/** "8080", "8080/tcp", "8000-8010/tcp"; other protocols cannot be reached and are left out. */
export function parsePort(text: string): number[] {
  const match = /^(\d+)(?:-(\d+))?(?:\/tcp)?$/.exec(text);
  if (match === null) return [];
  const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
  if (first < 1 || last > 65535 || last < first || last - first > 1000) return [];
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** "SIGINT", "INT", "2", "SIGRTMIN+3"; an unknown one is SIGTERM. */
export function parseSignal(text: string | undefined): number {
  if (text === undefined || text === "") return SIGTERM;
  if (/^\d+$/.test(text)) return Number(text) >= 1 && Number(text) <= 64 ? Number(text) : SIGTERM;
  const realtime = /^(?:SIG)?RTMIN\+(\d+)$/.exec(text);
  if (realtime !== null) return Math.min(34 + Number(realtime[1]), 64);
  return constants.signals[`SIG${text.replace(/^SIG/, "")}` as NodeJS.Signals] ?? SIGTERM;
}
