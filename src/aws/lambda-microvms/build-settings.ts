import type {
  CpuConfiguration,
  CreateMicrovmImageCommandInput,
  UpdateMicrovmImageCommandInput,
} from "@aws-sdk/client-lambda-microvms";
import { describeViolations } from "../../model/constraint-check.ts";
import type { Architecture } from "../../model/sizes.ts";
import { managedConnectorArn } from "../../model/connectors.ts";
import { DEFAULT_MEMORY_MIB, SUPPORTED_MEMORY_MIB } from "../../model/sizes.ts";
import { must } from "../../util/assert.ts";
import type { OperationContext } from "../service.ts";
import { checkConnectors } from "./connector-rules.ts";
import { validation } from "./faults.ts";
import { checkHooks } from "./hook-rules.ts";
import { resolveBaseVersion } from "./managed-images.ts";

export type BuildInput = CreateMicrovmImageCommandInput | UpdateMicrovmImageCommandInput;

const RESERVED_KEY = /^(AWS_REGION$|AWS_LAMBDA_MICROVM_)/;
const S3_URI = /^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\/.+$/s;

/**
 * The build half of a create or update request, checked beyond its shape and with the defaults that
 * GetMicrovmImageVersion reads back (observed 2.1). Nothing is taken over from earlier versions. `only`: the one
 * architecture that may be asked for; any may without it, and the build says what it was made on.
 */
export function buildSettings(input: BuildInput, context: OperationContext, { only }: { only?: Architecture } = {}) {
  if (only !== undefined) checkArchitecture(input.cpuConfigurations ?? [], only);
  const baseImageArn = must(input.baseImageArn, "a base image");
  const baseImageVersion = resolveBaseVersion({
    arn: baseImageArn,
    version: input.baseImageVersion,
    region: context.region,
  });
  const egress = input.egressNetworkConnectors ?? [];
  checkArtifact(input);
  checkConnectors(egress, "egress", context);
  const memory = input.resources?.[0]?.minimumMemoryInMiB ?? DEFAULT_MEMORY_MIB;
  checkMemory(memory, baseImageArn);
  checkHooks(input.hooks);
  checkEnvironment(input.environmentVariables ?? {});
  return {
    baseImageArn,
    baseImageVersion,
    buildRoleArn: must(input.buildRoleArn, "a build role"),
    description: input.description,
    codeArtifact: must(input.codeArtifact, "a code artifact"),
    logging: input.logging,
    egressNetworkConnectors: egress.length > 0 ? egress : [managedConnectorArn(context.region, "INTERNET_EGRESS")],
    cpuConfigurations: input.cpuConfigurations,
    resources: [{ minimumMemoryInMiB: memory }],
    additionalOsCapabilities: input.additionalOsCapabilities,
    hooks: input.hooks,
    environmentVariables: input.environmentVariables,
  };
}

/** As stored in `request_json` of a version. */
export type BuildSettings = ReturnType<typeof buildSettings>;

function checkArchitecture(wanted: readonly CpuConfiguration[], only: Architecture): void {
  const index = wanted.findIndex(({ architecture }) => architecture !== only);
  if (index < 0) return;
  const path = `cpuConfigurations.${index + 1}.member.architecture`;
  const rule = `Value at '${path}' failed to satisfy constraint: Member must satisfy enum value set: [${only}]`;
  throw validation(describeViolations([rule]));
}

function checkArtifact(input: BuildInput): void {
  if (!S3_URI.test(input.codeArtifact?.uri ?? "")) {
    throw validation("CodeArtifact URI must be a valid S3 URI in the format: s3://<bucket>/<key>");
  }
}

function checkMemory(memory: number, baseImageArn: string): void {
  if (SUPPORTED_MEMORY_MIB.includes(memory)) return;
  throw validation(
    `The requested memory size of ${memory} MiB is not supported by base MicroVM image ${baseImageArn}. ` +
      `Supported memory sizes in MiB are: [${SUPPORTED_MEMORY_MIB.join(", ")}].`,
  );
}

function checkEnvironment(variables: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(variables)) {
    if (RESERVED_KEY.test(key)) throw validation(`Environment variable key '${key}' is reserved`);
    // what the kernel's NAME=value strings cannot carry
    if (/[=\0]/.test(key))
      throw validation(`Environment variable key '${key}' must not contain '=' or a null character`);
    if (value.includes("\0"))
      throw validation(`Environment variable '${key}' must not contain a null character in its value`);
  }
}
