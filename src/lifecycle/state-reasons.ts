/** Why a microVM ended, in the service's words (contract 4.4, observed 2.3). */
export const STATE_REASONS = {
  terminated: "Success.",
  lifetime: "MicroVM exceeded maximum lifetime.",
  lost: "The virtual machine of this MicroVM ended unexpectedly.",
  exited: (code: number) => `Container Stopped with Exit Code: ${code}`,
  startFailed: (why: string) => `The MicroVM could not be started: ${why}`,
  wakeFailed: (why: string) => `The MicroVM could not be resumed: ${why}`,
} as const;
