import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../errors/app-error.ts";
import { BuildFailure } from "../errors/build-failure.ts";
import { mappingsFor, namedImages, type BaseImageMapping } from "./base-images.ts";
import type { BuildLog } from "./build-log.ts";
import type { Buildah } from "./buildah.ts";
import { trustArguments } from "./build-trust.ts";

export interface ContainerBuildOptions {
  readonly buildah: Buildah;
  readonly log: BuildLog;
  readonly signal: AbortSignal;
  /** Directory with the Dockerfile. */
  readonly context: string;
  /** Name the image gets in the storage. */
  readonly tag: string;
  readonly baseImages: readonly BaseImageMapping[];
  readonly caBundle: string;
}

const MAX_REASON_CHARACTERS = 1000;

/** Phase 3: the Dockerfile, step by step into the log; layers are kept, so an unchanged step is not run again. */
export async function buildContainer(options: ContainerBuildOptions): Promise<void> {
  const { buildah, log, signal, context, tag } = options;
  const dockerfile = await readFile(join(context, "Dockerfile"), "utf8");
  const mapped = mappingsFor(dockerfile, options.baseImages);
  const mappings = await Promise.all(mapped.map((mapping) => mapBaseImage(buildah, mapping)));
  for (const { name, source } of mapped) log.line(`base image ${name} is taken from ${source}, as CATNAP_BASE_IMAGES says`);
  const steps = new StepFollower();
  const args = [
    "bud", "--isolation", "chroot", "--network", "host", "--layers", "--format", "oci", "--tag", tag,
    ...(await trustArguments(options.caBundle)), ...mappings.flat(), context,
  ];
  try {
    await buildah.run(args, {
      signal,
      onOutput: (chunk) => {
        log.chunk(chunk);
        steps.follow(chunk);
      },
    });
  } catch (cause) {
    if (!(cause instanceof AppError) || cause.code === "ERR_HOST_MISSING_TOOL") throw cause;
    if (signal.aborted) throw signal.reason;
    if (/no space left on device/i.test(cause.message)) throw new BuildFailure("DISK_STORAGE_FULL", "DISK_STORAGE_FULL: the disk of this host is full", { cause });
    throw new BuildFailure("CONTAINER_BUILD_FAILED", failureReason(steps, log.lastLines, dockerfile), { cause });
  }
}

/** Buildah wants archives in its storage before a build context can name them. */
async function mapBaseImage(buildah: Buildah, { name, source }: BaseImageMapping): Promise<string[]> {
  const image = source.startsWith("oci-archive:") ? await buildah.line("pull", "--quiet", source) : source;
  return ["--build-context", `${name}=docker-image://${image}`];
}

/** The service says only the first sentence; which step failed and its last words are what users ask for. */
function failureReason(steps: StepFollower, lastLines: readonly string[], dockerfile: string): string {
  const said = lastLines.filter((line) => line.trim() !== "");
  const error = said.findLast((line) => /^Error: /.test(line)) ?? said.at(-1) ?? "";
  const isUnreachable = /pinging container registry|initializing source|dial tcp|no such host|i\/o timeout/i.test(error);
  const parts = ["The container image build failed.", steps.current];
  if (isUnreachable) {
    parts.push(`A base image (${[...namedImages(dockerfile)].join(", ")}) could not be pulled; where its registry is out of reach, CATNAP_BASE_IMAGES maps it to another source.`);
  } else {
    parts.push(said.filter((line) => !/^(?:Error: |STEP |error building |exit status)/i.test(line)).at(-1) ?? "");
  }
  parts.push(error.replace(/^Error: /, ""));
  return parts.filter((part) => part !== "").join(" ").slice(0, MAX_REASON_CHARACTERS);
}

/** Remembers the step that runs. */
class StepFollower {
  current = "";

  follow(chunk: Buffer): void {
    const steps = chunk.toString("utf8").match(/^(?:\[\d+\/\d+\] )?STEP \d+\/\d+: .*$/gm);
    this.current = steps?.at(-1) ?? this.current;
  }
}
