/* What each operation can answer instead of success: contract 2 and 8.2, as the published models list it. */

const OF_A_MICROVM = "AccessDenied InternalServer ResourceNotFound Throttling Validation";
const OF_A_TRANSITION = `Conflict ${OF_A_MICROVM}`;
const OF_TAGS = "AccessDenied InvalidParameterValue InternalServer ResourceNotFound Throttling Validation";

/** Where two names stand for one thing, the one that is answered here. */
export const LISTED_FAULTS: Readonly<Record<string, string>> = {
  CreateMicrovmImage: `ServiceQuotaExceeded ${OF_A_TRANSITION}`,
  UpdateMicrovmImage: `ServiceQuotaExceeded ${OF_A_TRANSITION}`,
  GetMicrovmImage: OF_A_MICROVM,
  ListMicrovmImages: "AccessDenied InternalServer Throttling Validation",
  DeleteMicrovmImage: OF_A_TRANSITION,
  GetMicrovmImageVersion: OF_A_MICROVM,
  ListMicrovmImageVersions: OF_A_MICROVM,
  UpdateMicrovmImageVersion: OF_A_TRANSITION,
  DeleteMicrovmImageVersion: OF_A_TRANSITION,
  GetMicrovmImageBuild: OF_A_MICROVM,
  ListMicrovmImageBuilds: OF_A_MICROVM,
  ListManagedMicrovmImages: "AccessDenied InternalServer Throttling Validation",
  ListManagedMicrovmImageVersions: OF_A_MICROVM,
  RunMicrovm: `InsufficientCapacity ServiceQuotaExceeded ${OF_A_TRANSITION}`,
  GetMicrovm: OF_A_MICROVM,
  ListMicrovms: OF_A_MICROVM,
  SuspendMicrovm: OF_A_TRANSITION,
  ResumeMicrovm: OF_A_TRANSITION,
  TerminateMicrovm: OF_A_TRANSITION,
  CreateMicrovmAuthToken: OF_A_TRANSITION,
  CreateMicrovmShellAuthToken: OF_A_TRANSITION,
  TagResource: `ResourceConflict ${OF_TAGS}`,
  UntagResource: `ResourceConflict ${OF_TAGS}`,
  ListTags: OF_TAGS,
  CreateNetworkConnector:
    "InvalidParameterValue NetworkConnectorLimitExceeded ResourceConflict Service TooManyRequests",
  GetNetworkConnector: "InvalidParameterValue ResourceNotFound Service TooManyRequests",
  ListNetworkConnectors: "InvalidParameterValue Service TooManyRequests",
  UpdateNetworkConnector: "InvalidParameterValue ResourceConflict ResourceNotFound Service TooManyRequests",
  DeleteNetworkConnector: "InvalidParameterValue ResourceConflict ResourceNotFound Service TooManyRequests",
};

const WRITTEN_AT_ONCE = "tags are read and written in one transaction";
const NOTHING_TO_FAIL = "the managed images are known without asking anybody";

/** Listed, and never answered here, with the reason. */
export const NEVER: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  TagResource: { ResourceConflict: WRITTEN_AT_ONCE },
  UntagResource: {
    ResourceConflict: WRITTEN_AT_ONCE,
    InvalidParameterValue: "no key that could be named breaks a rule",
  },
  ListTags: { InvalidParameterValue: "the ARN's shape is judged before, by the name that is listed too" },
  ListManagedMicrovmImages: { InternalServer: NOTHING_TO_FAIL },
  ListManagedMicrovmImageVersions: { InternalServer: NOTHING_TO_FAIL },
  ListMicrovms: { ResourceNotFound: "of an image that is not there, no microVM is listed" },
  TerminateMicrovm: { Conflict: "a microVM may be ended in every state" },
  CreateMicrovmAuthToken: {
    Conflict: "a token may be had in every state but the last, where there is no microVM to reach",
  },
  CreateMicrovmShellAuthToken: { Conflict: "as for the other token" },
  DeleteNetworkConnector: { ResourceConflict: "a connector may be deleted in every state, and again" },
  RunMicrovm: { InsufficientCapacity: "of a host without memory, which quotas.test.ts has" },
};
