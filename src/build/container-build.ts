import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../errors/app-error.ts";
import { BuildFailure } from "../errors/build-failure.ts";
import { mappingsFor, type BaseImageMapping } from "./base-images.ts";
import type { BuildLog } from "./build-log.ts";
import { StepFollower } from "./build-steps.ts";
import { findTrust, hideTrustSteps, withTrustVariables } from "./build-trust.ts";
import type { Buildah } from "./buildah.ts";
import { isDiskFull } from "../util/disk-reserve.ts";
import { LineSplitter } from "../util/line-splitter.ts";

export interface ContainerBuildOptions {
  readonly buildah: Buildah;
  readonly log: BuildLog;
  readonly signal: AbortSignal;
  /** Directory of this build's own files, outside the context. */
  readonly work: string;
  /** Directory with the Dockerfile. */
  readonly context: string;
  /** Name the image gets in the storage; keeps its layers from being pruned. */
  readonly tag: string;
  readonly baseImages: readonly BaseImageMapping[];
  readonly caBundle: string;
}

const MAX_DOCKERFILE_BYTES = 1024 * 1024;

/**
 * Phase 3: the Dockerfile, step by step into the log; layers are kept, so an unchanged step is not run again. Answers the
 * image's id. Format docker, since buildah ignores SHELL in the other one.
 */
export async function buildContainer(options: ContainerBuildOptions): Promise<string> {
  const { buildah, log, signal, work, context, tag } = options;
  const dockerfile = await readDockerfile(join(context, "Dockerfile"));
  const mappings = await mapBaseImages(options, dockerfile);
  const trust = await findTrust(options.caBundle);
  if (trust !== undefined)
    log.line(
      `RUN steps trust the certificates of ${trust.bundle}, by an ARG line after each FROM (CATNAP_BUILD_CA_BUNDLE)`,
    );
  const [file, idFile] = [join(work, "Dockerfile"), join(work, "image.id")];
  await writeFile(file, trust === undefined ? dockerfile : withTrustVariables(dockerfile));
  const volumes = trust?.places.flatMap((place) => ["--volume", `${trust.bundle}:${place}:ro`]) ?? [];
  const steps = new StepFollower();
  const follow = followLines((printed) => {
    const line = trust === undefined ? printed : hideTrustSteps(printed);
    if (line === undefined) return;
    log.line(line);
    steps.line(line);
  });
  const args = [
    "--isolation",
    "chroot",
    "--network",
    "host",
    "--layers",
    "--force-rm",
    "--format",
    "docker",
    "--tag",
    tag,
    "--iidfile",
    idFile,
    "--file",
    file,
    ...volumes,
    ...mappings,
    context,
  ];
  try {
    await buildah.build(args, { signal, onOutput: follow.onOutput });
  } catch (cause) {
    follow.end();
    throw explain(cause, { signal, steps, context });
  }
  follow.end();
  return (await readFile(idFile, "utf8")).trim();
}

async function readDockerfile(file: string): Promise<string> {
  const { size } = await stat(file);
  if (size > MAX_DOCKERFILE_BYTES)
    throw new BuildFailure(
      "ARCHIVE_INVALID",
      `ARCHIVE_INVALID: the Dockerfile is larger than ${MAX_DOCKERFILE_BYTES} bytes`,
    );
  return readFile(file, "utf8");
}

async function mapBaseImages(
  { buildah, log, baseImages, signal }: ContainerBuildOptions,
  dockerfile: string,
): Promise<string[]> {
  const args: string[] = [];
  for (const mapping of mappingsFor(dockerfile, baseImages)) {
    log.line(`base image ${mapping.name} is taken from ${mapping.source}, as CATNAP_BASE_IMAGES says`);
    args.push("--build-context", `${mapping.name}=docker-image://${await intoStorage(buildah, mapping, signal)}`);
  }
  return args;
}

/** Buildah wants archives in its storage before a build context can name them. */
async function intoStorage(buildah: Buildah, { name, source }: BaseImageMapping, signal: AbortSignal): Promise<string> {
  if (!source.startsWith("oci-archive:")) return source;
  try {
    return (await buildah.run(["pull", "--quiet", source], { signal })).stdout.trim();
  } catch (cause) {
    signal.throwIfAborted();
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new BuildFailure(
      "CONTAINER_BUILD_FAILED",
      `The container image build failed. CATNAP_BASE_IMAGES takes ${name} from ${source}, which cannot be read: ${why}`.slice(
        0,
        1000,
      ),
      { cause },
    );
  }
}

function followLines(onLine: (line: string) => void) {
  const splitters = { stdout: new LineSplitter(), stderr: new LineSplitter() };
  return {
    onOutput: (chunk: Buffer, stream: "stdout" | "stderr") => splitters[stream].push(chunk).forEach(onLine),
    end: () => [splitters.stdout, splitters.stderr].flatMap((splitter) => splitter.end()).forEach(onLine),
  };
}

/** The service says only the first sentence; which step failed and its last words are what users ask for. */
function explain(
  cause: unknown,
  { signal, steps, context }: { signal: AbortSignal; steps: StepFollower; context: string },
): unknown {
  if (signal.aborted) return signal.reason;
  if (!(cause instanceof AppError) || cause.code === "ERR_HOST_MISSING_TOOL") return cause;
  if (isDiskFull(cause)) return cause;
  return new BuildFailure(
    "CONTAINER_BUILD_FAILED",
    `The container image build failed. ${steps.describeFailure(context)}`.trim(),
    { cause },
  );
}
