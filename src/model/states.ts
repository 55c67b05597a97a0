/** Contract 4.1. */
export type MicrovmState = "PENDING" | "RUNNING" | "SUSPENDING" | "SUSPENDED" | "TERMINATING" | "TERMINATED";

/** Contract 3.1. */
export type ImageState =
  | "CREATING"
  | "CREATED"
  | "CREATE_FAILED"
  | "UPDATING"
  | "UPDATED"
  | "UPDATE_FAILED"
  | "DELETING"
  | "DELETE_FAILED"
  | "DELETED";

export type VersionState =
  | "PENDING"
  | "IN_PROGRESS"
  | "SUCCESSFUL"
  | "FAILED"
  | "DELETING"
  | "DELETED"
  | "DELETE_FAILED";
export type VersionStatus = "ACTIVE" | "INACTIVE";
export type BuildState = "PENDING" | "IN_PROGRESS" | "SUCCESSFUL" | "FAILED";

/** Contract 8.2. */
export type ConnectorState = "PENDING" | "ACTIVE" | "INACTIVE" | "FAILED" | "DELETING" | "DELETE_FAILED";
