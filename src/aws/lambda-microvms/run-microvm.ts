import type { RunMicrovmCommandInput, RunMicrovmCommandOutput } from "@aws-sdk/client-lambda-microvms";
import { AppError } from "../../errors/app-error.ts";
import { ServiceFault } from "../../errors/service-fault.ts";
import type { IdlePolicy, RunRequest } from "../../lifecycle/microvm-service.ts";
import { parseImageArn } from "../../model/arn.ts";
import { managedConnectorArn } from "../../model/connectors.ts";
import { SERVICE_MAXIMUM_DURATION_SECONDS } from "../../model/constraints.ts";
import { parseImageVersion } from "../../model/ids.ts";
import { listBuilds } from "../../store/build-store.ts";
import { findImage } from "../../store/image-store.ts";
import { findRunnableVersion } from "../../store/version-store.ts";
import { must } from "../../util/assert.ts";
import type { Operation, OperationContext } from "../service.ts";
import type { BuildSettings } from "./build-settings.ts";
import { checkConnectors, requireConnectors } from "./connector-rules.ts";
import type { Dependencies } from "./dependencies.ts";
import { insufficientCapacity, tokenConflict, validation } from "./faults.ts";
import { checkMemoryQuota } from "./quota-rules.ts";
import { isRunHookEnabled } from "./hook-rules.ts";
import { remember, replay, tokenUse, type TokenUse } from "../client-token.ts";
import { RUNNABLE_IMAGE_STATES } from "./image-states.ts";
import { versionSettings } from "./image-view.ts";
import { microvmOutput } from "./microvm-view.ts";

type Output = Omit<RunMicrovmCommandOutput, "$metadata">;

export function runMicrovm(dependencies: Dependencies): Operation<RunMicrovmCommandInput, Output> {
  /** Calls under way by token, so that of two at once the second gets the first one's answer. */
  const underWay = new Map<string, Promise<unknown>>();
  return async (input, caller) => {
    // A microVM lives in its image's Region, whatever Region the client is set to.
    const context = { ...caller, region: parseImageArn(input.imageIdentifier ?? "")?.region ?? caller.region };
    checkRequest(input, context);
    const use = tokenUse("RunMicrovm", input, context);
    if (!use) return start(dependencies, input, context);
    const lane = JSON.stringify(use.key);
    while (underWay.has(lane)) await underWay.get(lane);
    const answer = once(dependencies, use, () => start(dependencies, input, context, use));
    const settled = answer
      .then(
        () => undefined,
        () => undefined,
      )
      .finally(() => underWay.delete(lane));
    underWay.set(lane, settled);
    return answer;
  };
}

/** What can be said of the request alone: ARN syntax comes before any lookup (contract 1.2). */
function checkRequest(input: RunMicrovmCommandInput, context: OperationContext): void {
  const identifier = must(input.imageIdentifier, "an image");
  if (!identifier.startsWith("arn:")) throw validation("Malformed ARN - doesn't start with 'arn:'");
  if (!parseImageArn(identifier)) throw validation(`Invalid ARN format: ${identifier}`);
  checkConnectors(input.ingressNetworkConnectors ?? [], "ingress", context);
  checkConnectors(input.egressNetworkConnectors ?? [], "egress", context);
  if (input.logging?.cloudWatch && input.executionRoleArn === undefined) {
    throw validation("Logging cannot be enabled without providing executionRoleArn");
  }
}

async function once(
  { store, microvms, now }: Dependencies,
  use: TokenUse,
  run: () => Promise<Output>,
): Promise<Output> {
  const first = await replay<Output>(store.db, use, {
    now: now(),
    stillExists: async ({ microvmId }) => (await microvms.get(microvmId ?? "")) !== undefined,
    conflict: tokenConflict,
  });
  return first ?? run();
}

async function start(
  dependencies: Dependencies,
  input: RunMicrovmCommandInput,
  context: OperationContext,
  use?: TokenUse,
): Promise<Output> {
  const { microvms, imageUse, quotas, now } = dependencies;
  const arn = must(input.imageIdentifier, "an image");
  // held until the microVM is on record, so that a deletion of the image cannot miss it
  using _ = imageUse.begin(arn);
  const { version, buildId, settings } = await resolveVersion(dependencies, input, context);
  if (input.runHookPayload !== undefined && !isRunHookEnabled(settings.hooks)) {
    throw validation("The run hook must be enabled in the MicroVM image to pass the run hook payload.");
  }
  const ingress = input.ingressNetworkConnectors ?? [];
  const named = input.egressNetworkConnectors ?? [];
  const egress = named.length > 0 ? named : settings.egressNetworkConnectors;
  await requireConnectors(dependencies.store.db, egress);
  const request: RunRequest = {
    accountId: context.accountId,
    region: context.region,
    imageArn: arn,
    imageVersion: version,
    buildId,
    executionRoleArn: input.executionRoleArn,
    logging: input.logging,
    idlePolicy: input.idlePolicy as IdlePolicy | undefined,
    maximumDurationInSeconds: input.maximumDurationInSeconds ?? SERVICE_MAXIMUM_DURATION_SECONDS,
    ingressNetworkConnectors: ingress.length > 0 ? ingress : [managedConnectorArn(context.region, "HTTP_INGRESS")],
    egressNetworkConnectors: egress,
    runHookPayload: input.runHookPayload,
  };
  // a retry with the same token must find this microVM, whenever the server was killed
  const view = await microvms
    .run(request, async (db, started) => {
      await checkMemoryQuota(db, quotas, request);
      await remember(db, use, microvmOutput(started), now());
    })
    .catch((cause: unknown) => {
      throw isFull(cause) ? insufficientCapacity(cause) : cause;
    });
  return microvmOutput(view);
}

const isFull = (cause: unknown): cause is AppError =>
  cause instanceof AppError && (cause.code === "ERR_HOST_FULL" || cause.code === "ERR_DISK_FULL");

interface ResolvedVersion {
  readonly version: string;
  readonly buildId: string;
  readonly settings: BuildSettings;
}

async function resolveVersion(
  { store }: Dependencies,
  input: RunMicrovmCommandInput,
  context: OperationContext,
): Promise<ResolvedVersion> {
  const arn = must(input.imageIdentifier, "an image");
  const number = input.imageVersion === undefined ? undefined : parseImageVersion(input.imageVersion);
  const isNamed = input.imageVersion !== undefined;
  const image = await findImage(store.db, context, arn);
  const canRun = image && RUNNABLE_IMAGE_STATES.includes(image.state) && (!isNamed || number !== undefined);
  const version = canRun ? await findRunnableVersion(store.db, arn, number) : undefined;
  const builds = version ? await listBuilds(store.db, { imageArn: arn, version: version.version }) : [];
  const build = builds.find(({ state }) => state === "SUCCESSFUL");
  if (!version || !build) {
    const which = isNamed ? ` and version ${input.imageVersion}` : "";
    throw new ServiceFault("ResourceNotFoundException", `No active version found for MicroVM image ${arn}${which}`, {
      members: { resourceId: arn, resourceType: "MicroVMImage" },
    });
  }
  return { version: version.version, buildId: build.build_id, settings: versionSettings(version) };
}
