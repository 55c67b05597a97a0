import * as schemas from "@aws-sdk/client-lambda-microvms";
import { ImageUse } from "../../images/image-use.ts";
import { describeViolations, findViolations } from "../../model/constraint-check.ts";
import { constraintsOf, SERVICE_MAXIMUM_DURATION_SECONDS, type OperationName } from "../../model/constraints.ts";
import type { StructureShape } from "../../model/constraint-shape.ts";
import { NO_QUOTAS } from "../../model/quotas.ts";
import { RateLimiter } from "../rate-limiter.ts";
import type { Operation, ServiceDefinition } from "../service.ts";
import { createMicrovmAuthToken } from "./create-microvm-auth-token.ts";
import { createMicrovmImage } from "./create-microvm-image.ts";
import { createMicrovmShellAuthToken } from "./create-microvm-shell-auth-token.ts";
import { deleteMicrovmImageVersion } from "./delete-microvm-image-version.ts";
import { deleteMicrovmImage } from "./delete-microvm-image.ts";
import type { Dependencies } from "./dependencies.ts";
import { validation } from "./faults.ts";
import { getMicrovmImageBuild } from "./get-microvm-image-build.ts";
import { getMicrovmImageVersion } from "./get-microvm-image-version.ts";
import { getMicrovmImage } from "./get-microvm-image.ts";
import { getMicrovm } from "./get-microvm.ts";
import { listManagedMicrovmImageVersions } from "./list-managed-microvm-image-versions.ts";
import { listManagedMicrovmImages } from "./list-managed-microvm-images.ts";
import { listMicrovmImageBuilds } from "./list-microvm-image-builds.ts";
import { listMicrovmImageVersions } from "./list-microvm-image-versions.ts";
import { listMicrovmImages } from "./list-microvm-images.ts";
import { listMicrovms } from "./list-microvms.ts";
import { listTags } from "./list-tags.ts";
import { throttled } from "./quota-rules.ts";
import { resumeMicrovm } from "./resume-microvm.ts";
import { runMicrovm } from "./run-microvm.ts";
import { suspendMicrovm } from "./suspend-microvm.ts";
import { tagResource } from "./tag-resource.ts";
import { terminateMicrovm } from "./terminate-microvm.ts";
import { untagResource } from "./untag-resource.ts";
import { updateMicrovmImageVersion } from "./update-microvm-image-version.ts";
import { updateMicrovmImage } from "./update-microvm-image.ts";

type Optional = "quotas" | "isArchitectureStrict" | "maximumDurationSeconds" | "now";
export type LambdaMicrovmsOptions = Omit<Dependencies, "imageUse" | Optional> & Partial<Pick<Dependencies, Optional>>;

/** AWS Lambda MicroVMs: every operation of the SDK's model. */
export function createLambdaMicrovmsService(options: LambdaMicrovmsOptions): ServiceDefinition {
  const dependencies: Dependencies = {
    imageUse: new ImageUse(),
    now: Date.now,
    isArchitectureStrict: false,
    maximumDurationSeconds: SERVICE_MAXIMUM_DURATION_SECONDS,
    ...options,
    quotas: options.quotas ?? NO_QUOTAS,
  };
  const operations: Record<OperationName, Operation> = {
    CreateMicrovmImage: createMicrovmImage(dependencies),
    UpdateMicrovmImage: updateMicrovmImage(dependencies),
    GetMicrovmImage: getMicrovmImage(dependencies),
    ListMicrovmImages: listMicrovmImages(dependencies),
    DeleteMicrovmImage: deleteMicrovmImage(dependencies),
    GetMicrovmImageVersion: getMicrovmImageVersion(dependencies),
    ListMicrovmImageVersions: listMicrovmImageVersions(dependencies),
    UpdateMicrovmImageVersion: updateMicrovmImageVersion(dependencies),
    DeleteMicrovmImageVersion: deleteMicrovmImageVersion(dependencies),
    GetMicrovmImageBuild: getMicrovmImageBuild(dependencies),
    ListMicrovmImageBuilds: listMicrovmImageBuilds(dependencies),
    ListManagedMicrovmImages: listManagedMicrovmImages(),
    ListManagedMicrovmImageVersions: listManagedMicrovmImageVersions(),
    RunMicrovm: runMicrovm(dependencies),
    GetMicrovm: getMicrovm(dependencies),
    ListMicrovms: listMicrovms(dependencies),
    SuspendMicrovm: suspendMicrovm(dependencies),
    ResumeMicrovm: resumeMicrovm(dependencies),
    TerminateMicrovm: terminateMicrovm(dependencies),
    CreateMicrovmAuthToken: createMicrovmAuthToken(dependencies),
    CreateMicrovmShellAuthToken: createMicrovmShellAuthToken(dependencies),
    TagResource: tagResource(dependencies),
    UntagResource: untagResource(dependencies),
    ListTags: listTags(dependencies),
  };
  const rates = new RateLimiter(dependencies.quotas, dependencies.now);
  const checked = Object.entries(operations).map(([name, operation]) => [
    name,
    withRate(
      rates,
      name,
      withShapeCheck(constraintsOf(name as OperationName, dependencies.maximumDurationSeconds), operation),
    ),
  ]);
  return {
    signingName: "lambda",
    protocol: "restJson1",
    schemas,
    operations: Object.fromEntries(checked) as Record<OperationName, Operation>,
  };
}

/** Every call counts, also one that is refused for what it asks. */
function withRate(rates: RateLimiter, name: string, operation: Operation): Operation {
  return async (input, context) => {
    const retryAfterSeconds = rates.take(context.accountId, name);
    if (retryAfterSeconds !== undefined) throw throttled(name, retryAfterSeconds);
    return operation(input, context);
  };
}

/** The shape of a request is judged before anything else (contract 1.2). */
function withShapeCheck(shape: StructureShape, operation: Operation): Operation {
  return async (input, context) => {
    const violations = findViolations(shape, input);
    if (violations.length > 0) throw validation(describeViolations(violations));
    return operation(input, context);
  };
}
