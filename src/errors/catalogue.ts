/** Whose mistake it was: decides the log level and what a client is told. */
export type Fault = "user" | "system" | "upstream";

interface CatalogueEntry {
  readonly fault: Fault;
  /** Whether repeating the same call unchanged may succeed. */
  readonly retryable: boolean;
  readonly message: string;
}

/** Every internal error code, its fault and its default wording. */
export const ERROR_CATALOGUE = {
  ERR_CONFIG_INVALID: { fault: "user", retryable: false, message: "The configuration is not valid." },
  ERR_HOME_IN_USE: { fault: "user", retryable: false, message: "Another Catnap server runs on this home." },
  ERR_HOST_MISSING_TOOL: {
    fault: "user",
    retryable: false,
    message: "A program that Catnap needs is missing on this host.",
  },
  ERR_COMMAND_FAILED: { fault: "system", retryable: false, message: "A host command failed." },
  ERR_HOST_FULL: { fault: "system", retryable: true, message: "The host has no room for another virtual machine." },
  ERR_DISK_FULL: { fault: "system", retryable: true, message: "The disk of the host is full." },
  ERR_NETWORK_SLOT: { fault: "system", retryable: true, message: "No network slot could be made." },
  ERR_ENGINE_START: { fault: "system", retryable: true, message: "The virtual machine monitor did not start." },
  ERR_ENGINE_PROTOCOL: {
    fault: "system",
    retryable: false,
    message: "The virtual machine monitor answered out of protocol.",
  },
  ERR_ENGINE_MEMORY: {
    fault: "system",
    retryable: true,
    message: "The memory of a virtual machine could not be read or written.",
  },
  ERR_ENGINE_SNAPSHOT: { fault: "system", retryable: false, message: "A snapshot could not be written or read." },
  ERR_ENGINE_LOST: { fault: "system", retryable: false, message: "The virtual machine monitor process is gone." },
  ERR_GUEST_UNREACHABLE: { fault: "system", retryable: true, message: "The guest agent did not answer." },
  ERR_GUEST_PROTOCOL: { fault: "system", retryable: false, message: "The guest agent answered out of protocol." },
  ERR_GUEST_REFUSED: { fault: "upstream", retryable: false, message: "The guest agent refused the command." },
  ERR_STORE: { fault: "system", retryable: false, message: "The state store failed." },
  ERR_BUILD: { fault: "user", retryable: false, message: "The image build failed." },
  ERR_CANCELLED: { fault: "user", retryable: true, message: "The operation was cancelled." },
  ERR_POLICY_SYNTAX: { fault: "user", retryable: false, message: "The policy document is not valid." },
  ERR_SERVICE_FAULT: { fault: "user", retryable: false, message: "The request was refused." },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;
