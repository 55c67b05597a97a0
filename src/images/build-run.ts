import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { BuildOutcome, BuildRequest } from "../build/image-builder.ts";
import { BuildFailure } from "../errors/build-failure.ts";
import type { LoggingSetting } from "../logs/log-destination.ts";
import { readHooks, type HooksMember } from "../model/hooks.ts";
import { DEFAULT_MEMORY_MIB } from "../model/sizes.ts";
import { findBuild, updateBuild, type BuildRow } from "../store/build-store.ts";
import { moveImage } from "../store/image-store.ts";
import { beginImageUsage } from "../store/usage-store.ts";
import { setVersionState } from "../store/version-store.ts";
import type { ImageWork } from "./image-work.ts";

/** Members of a version's `request_json` that a build needs. */
interface StoredSettings {
  readonly codeArtifact: { readonly uri: string };
  readonly buildRoleArn: string;
  readonly egressNetworkConnectors?: readonly string[];
  readonly resources?: readonly { readonly minimumMemoryInMiB: number }[];
  readonly additionalOsCapabilities?: readonly string[];
  readonly cpuConfigurations?: readonly { readonly architecture: string }[];
  readonly hooks?: HooksMember;
  readonly logging?: LoggingSetting;
  readonly environmentVariables?: Readonly<Record<string, string>>;
}

/** Takes one build from PENDING to its outcome. Resolves with the outcome recorded, or none when `signal` aborted it. */
export async function runBuild(work: ImageWork, buildId: string, signal: AbortSignal): Promise<void> {
  const build = await findBuild(work.store.db, buildId);
  if (!build || build.state === "SUCCESSFUL" || build.state === "FAILED") return;
  const logged = await openBuildLog(work, await buildRequest(work, build));
  const { request } = logged;
  await recordStart(work, build);
  try {
    // what an attempt before a crash left would only be in the way
    await rm(request.directory, { recursive: true, force: true });
    await mkdir(request.directory, { recursive: true });
    const outcome = await work.builder.build(request, signal);
    await recordSuccess(work, build, outcome);
    work.log.info({ buildId, imageArn: build.image_arn, version: build.version }, "image build succeeded");
  } catch (err) {
    if (signal.aborted) return;
    await recordFailure(work, build, asBuildFailure(err));
    work.log.warn({ err, buildId, imageArn: build.image_arn, version: build.version }, "image build failed");
  } finally {
    await logged.close();
  }
}

/** A build, and where its version's request wants its lines. */
export interface AskedBuild {
  readonly request: BuildRequest;
  readonly logging: LoggingSetting | undefined;
}

/** The build's lines go to its log stream while it runs, written with the build role. */
export async function openBuildLog(
  { logs, now, log }: ImageWork,
  { request, logging }: AskedBuild,
): Promise<{ readonly request: BuildRequest; close(): Promise<void> }> {
  const { buildId: id, buildRoleArn: roleArn, imageArn: sourceArn } = request;
  try {
    const opening = await logs?.open({ ...request, logging, roleArn, sourceArn, id, startedAt: new Date(now()) });
    const { delivery, refused } = opening ?? {};
    const preface = refused === undefined ? request.preface : `not written to CloudWatch Logs: ${refused}`;
    return {
      request: { ...request, preface, onLine: (line) => void delivery?.note(line) },
      async close() {
        await delivery?.close();
        await logs?.forget(id);
      },
    };
  } catch (err) {
    log.error({ err, buildId: id }, "the log stream of a build cannot be opened; its lines are in build.log");
    return { request, close: () => Promise.resolve() };
  }
}

export async function buildRequest({ store, paths, egressOf }: ImageWork, build: BuildRow): Promise<AskedBuild> {
  const row = await store.db
    .selectFrom("image_versions")
    .innerJoin("images", "images.arn", "image_versions.image_arn")
    .select(["images.name", "images.account_id", "images.region", "image_versions.request_json"])
    .where("image_versions.image_arn", "=", build.image_arn)
    .where("image_versions.version", "=", build.version)
    .executeTakeFirstOrThrow();
  const settings = JSON.parse(row.request_json) as StoredSettings;
  const request = {
    buildId: build.build_id,
    imageName: row.name,
    imageArn: build.image_arn,
    imageVersion: build.version,
    accountId: row.account_id,
    region: row.region,
    artifactUri: settings.codeArtifact.uri,
    buildRoleArn: settings.buildRoleArn,
    memoryMiB: settings.resources?.[0]?.minimumMemoryInMiB ?? DEFAULT_MEMORY_MIB,
    environment: {
      ...settings.environmentVariables,
      // observed 2.7; these keys are refused in requests
      AWS_LAMBDA_MICROVM_IMAGE_NAME: row.name,
      AWS_LAMBDA_MICROVM_IMAGE_ARN: build.image_arn,
      AWS_LAMBDA_MICROVM_IMAGE_VERSION: build.version,
      AWS_REGION: row.region,
    },
    allCapabilities: settings.additionalOsCapabilities?.includes("ALL") ?? false,
    architectures: settings.cpuConfigurations?.map(({ architecture }) => architecture) ?? [],
    hooks: readHooks(settings.hooks),
    egress: await egressOf(settings.egressNetworkConnectors ?? []),
    directory: buildDirectory(paths, build.build_id),
    logFile: join(buildDirectory(paths, build.build_id), "build.log"),
  };
  return { request, logging: settings.logging };
}

export function buildDirectory(paths: ImageWork["paths"], buildId: string): string {
  return join(paths.images, buildId);
}

function recordStart({ store, now }: ImageWork, build: BuildRow): Promise<void> {
  return store.db.transaction().execute(async (db) => {
    await updateBuild(db, build.build_id, { state: "IN_PROGRESS" });
    await setVersionState(db, keyOf(build), { state: "IN_PROGRESS", at: now() });
  });
}

function recordSuccess({ store, now }: ImageWork, build: BuildRow, { image, sizes }: BuildOutcome): Promise<void> {
  return store.db.transaction().execute(async (db) => {
    const at = now();
    await beginImageUsage(db, build, { at, storedBytes: Object.values(sizes).reduce((sum, bytes) => sum + bytes, 0) });
    await updateBuild(db, build.build_id, {
      state: "SUCCESSFUL",
      sizes_json: JSON.stringify(sizes),
      template_json: JSON.stringify(image),
    });
    await setVersionState(db, keyOf(build), { state: "SUCCESSFUL", status: "ACTIVE", at });
    await moveImage(db, build.image_arn, { from: ["CREATING"], to: "CREATED", at });
    await moveImage(db, build.image_arn, { from: ["UPDATING"], to: "UPDATED", at });
  });
}

function recordFailure({ store, now }: ImageWork, build: BuildRow, failure: BuildFailure): Promise<void> {
  return store.db.transaction().execute(async (db) => {
    const at = now();
    // the reason is on the build alone, as at the service (contract 3.3)
    const { reason, codeInstallBytes } = failure;
    const sizes = codeInstallBytes === undefined ? null : { codeInstallSizeInBytes: codeInstallBytes };
    await updateBuild(db, build.build_id, {
      state: "FAILED",
      state_reason: reason,
      sizes_json: sizes && JSON.stringify(sizes),
    });
    await setVersionState(db, keyOf(build), { state: "FAILED", status: "INACTIVE", at });
    await moveImage(db, build.image_arn, { from: ["CREATING"], to: "CREATE_FAILED", at });
    await moveImage(db, build.image_arn, { from: ["UPDATING"], to: "UPDATE_FAILED", at });
  });
}

/** Anything that is not a failure of the image is ours: the user gets the service's words, the cause goes to the log. */
function asBuildFailure(cause: unknown): BuildFailure {
  return cause instanceof BuildFailure
    ? cause
    : new BuildFailure("INTERNAL_PLATFORM_ERROR", "Internal service error", { cause });
}

function keyOf(build: BuildRow) {
  return { imageArn: build.image_arn, version: build.version };
}
