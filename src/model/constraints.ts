import { boolean, integer, list, map, oneOf, structure, text, union, type StructureShape } from "./constraint-shape.ts";

/*
 * What the published SDK does not say of its members: lengths, patterns, ranges (contract appendix A). One entry per
 * operation of lambda-microvms, walked by constraint-check.ts before anything else looks at a request.
 */

const NO_BLANKS = "[^\\s]+";
const ROLE_ARN_PATTERN = "arn:aws[a-z\\-]*:iam::[0-9]{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+";
const TAG_PATTERN = "([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)";
const TAGGABLE_ARN_PATTERN =
  "arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:\\d{12}:" +
  "(function:[a-zA-Z0-9-_]+(:(\\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|code-signing-config:csc-[a-z0-9]{17}|" +
  "event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|" +
  "(capacity-provider|network-connector|microvm-image):[a-zA-Z0-9-_]+)";

const identifier = text(1, 256);
const word = text(1, 2048, NO_BLANKS);
const roleArn = text(20, 2048, ROLE_ARN_PATTERN);
const clientToken = text(1, 128);
const connectorArn = text(1, 2048);
const toggle = oneOf("ENABLED", "DISABLED");
const port = integer(1, 65535);
const architecture = oneOf("ARM_64", "X86_64");
const tagKey = text(1, 128, TAG_PATTERN);
const tags = map(tagKey, text(0, 256, TAG_PATTERN));
const page = { maxResults: integer(1, 50), nextToken: text() };

const logging = union({
  disabled: structure({}),
  cloudWatch: structure({
    logGroup: text(1, 512, "[a-zA-Z0-9_\\-/.#]+"),
    logStream: text(1, 512, "[^:*]*"),
  }),
});

const hooks = structure({
  port,
  microvmHooks: structure({
    run: toggle,
    runTimeoutInSeconds: integer(1, 60),
    resume: toggle,
    resumeTimeoutInSeconds: integer(1, 60),
    suspend: toggle,
    suspendTimeoutInSeconds: integer(1, 60),
    terminate: toggle,
    terminateTimeoutInSeconds: integer(1, 60),
  }),
  microvmImageHooks: structure({
    ready: toggle,
    readyTimeoutInSeconds: integer(1, 3600),
    validate: toggle,
    validateTimeoutInSeconds: integer(1, 3600),
  }),
});

/** Shared by CreateMicrovmImage and UpdateMicrovmImage. */
const buildMembers = {
  "baseImageArn!": word,
  baseImageVersion: word,
  "buildRoleArn!": roleArn,
  description: text(),
  "codeArtifact!": union({ uri: word }),
  logging,
  egressNetworkConnectors: list(connectorArn, 0, 1),
  // wider than the model, which knows ARM_64 only: a host of one's own may be either
  cpuConfigurations: list(structure({ "architecture!": architecture })),
  resources: list(structure({ "minimumMemoryInMiB!": integer() }), 0, 1),
  additionalOsCapabilities: list(oneOf("ALL")),
  hooks,
  environmentVariables: map(text(1, 256, NO_BLANKS), text(0, 4096), { max: 50 }),
};

const imageId = { "imageIdentifier!": identifier };
const imageVersion = { ...imageId, "imageVersion!": word };
const microvmId = structure({ "microvmIdentifier!": identifier });
const resourceArn = { "Resource!": text(1, 10000, TAGGABLE_ARN_PATTERN) };

const portSpecification = union({
  port,
  range: structure({ "startPort!": port, "endPort!": port }),
  allPorts: structure({}),
});

/** Eight hours, through sleep (contract 4.2). */
export const SERVICE_MAXIMUM_DURATION_SECONDS = 28_800;

function runMicrovm(maximumDurationSeconds: number): StructureShape {
  return structure({
    ingressNetworkConnectors: list(connectorArn, 0, 10),
    egressNetworkConnectors: list(connectorArn, 0, 10),
    ...imageId,
    imageVersion: word,
    executionRoleArn: roleArn,
    idlePolicy: structure({
      "maxIdleDurationSeconds!": integer(60),
      "suspendedDurationSeconds!": integer(0),
      "autoResumeEnabled!": boolean(),
    }),
    logging,
    // 4096, not the 16 KB of the SDK's prose (contract 0.2)
    runHookPayload: text(0, 4096),
    maximumDurationInSeconds: integer(1, maximumDurationSeconds),
    clientToken,
  });
}

export const CONSTRAINTS = {
  CreateMicrovmImage: structure({
    ...buildMembers,
    "name!": text(1, 64, "[a-zA-Z0-9-_]+"),
    tags,
    clientToken,
  }),
  UpdateMicrovmImage: structure({ ...buildMembers, ...imageId, clientToken }),
  GetMicrovmImage: structure(imageId),
  ListMicrovmImages: structure({ ...page, nameFilter: word }),
  DeleteMicrovmImage: structure(imageId),
  GetMicrovmImageVersion: structure(imageVersion),
  ListMicrovmImageVersions: structure({ ...page, ...imageId }),
  UpdateMicrovmImageVersion: structure({ ...imageVersion, "status!": oneOf("ACTIVE", "INACTIVE") }),
  DeleteMicrovmImageVersion: structure(imageVersion),
  GetMicrovmImageBuild: structure({ ...imageVersion, "buildId!": word }),
  ListMicrovmImageBuilds: structure({
    ...page,
    ...imageVersion,
    // wider than the model, which knows GRAVITON only: our builds say what they were made on
    architecture,
    chipset: oneOf("GRAVITON", "GENERIC"),
    chipsetGeneration: word,
  }),
  ListManagedMicrovmImages: structure(page),
  ListManagedMicrovmImageVersions: structure({ ...page, ...imageId }),
  RunMicrovm: runMicrovm(SERVICE_MAXIMUM_DURATION_SECONDS),
  GetMicrovm: microvmId,
  ListMicrovms: structure({ ...page, imageIdentifier: identifier, imageVersion: text() }),
  SuspendMicrovm: microvmId,
  ResumeMicrovm: microvmId,
  TerminateMicrovm: microvmId,
  CreateMicrovmAuthToken: structure({
    "microvmIdentifier!": identifier,
    "expirationInMinutes!": integer(1),
    "allowedPorts!": list(portSpecification, 1),
  }),
  CreateMicrovmShellAuthToken: structure({ "microvmIdentifier!": identifier, "expirationInMinutes!": integer(1) }),
  TagResource: structure({ ...resourceArn, "Tags!": tags }),
  UntagResource: structure({ ...resourceArn, "TagKeys!": list(tagKey) }),
  ListTags: structure(resourceArn),
} as const satisfies Record<string, StructureShape>;

export type OperationName = keyof typeof CONSTRAINTS;

/** The constraints of an operation where microVMs may live longer than the service lets them. */
export function constraintsOf(name: OperationName, maximumDurationSeconds: number): StructureShape {
  return name === "RunMicrovm" ? runMicrovm(maximumDurationSeconds) : CONSTRAINTS[name];
}
