/**
 * The guest contract: how host and guest agent talk. The C side is guest/agent; the words here and there are the same,
 * written down in guest/PROTOCOL.md. Everything the guest sends is hostile until parsed.
 */

/** TCP port of the agent, bound to the guest's own network address only. */
export const AGENT_PORT = 1018;
/** Longest preface or reply line, line feed included. */
export const MAX_LINE_BYTES = 512;

/** Addresses inside every network slot; equal for all, so a clone needs no new address. */
export const GUEST_NETWORK = {
  guestAddress: "172.16.0.2",
  gatewayAddress: "172.16.0.1",
  prefixLength: 30,
  guestMac: "02:ca:7a:00:00:02",
  gatewayMac: "02:ca:7a:00:00:01",
  dnsAddress: "169.254.169.253",
  /** Instance metadata, where the SDKs look for credentials. */
  metadataAddress: "169.254.169.254",
  /** The AWS API of this host, for apps that set it as their endpoint: no other address of the host is reachable. */
  apiAddress: "169.254.169.252",
} as const;

/** Ports of the host's service address, to which port 80 of the two addresses above leads; a web server may have 80 itself. */
export const SERVICE_PORTS = { metadata: 16_925, api: 16_924 } as const;

/** Serial numbers of the two disks: how the guest tells them apart, whatever order it finds them in. */
export const DISK_SERIALS = { rootfs: "rootfs", upper: "upper" } as const;

/** Longest body of a start request. */
export const MAX_START_CONFIG_BYTES = 512 * 1024;
/** Most ports in one listening request. */
export const MAX_LISTENING_PORTS = 64;
/** Bounds of the entropy in one wake request. */
export const MIN_ENTROPY_BYTES = 32;
export const MAX_ENTROPY_BYTES = 128;
/** Longest grace period of a stop. */
export const MAX_GRACE_MS = 3_600_000;
/** Most output bytes in one frame of the event stream. */
export const MAX_OUTPUT_FRAME_BYTES = 64 * 1024;

/** The first version of the agent with sessions; agents before it know no "hello". */
export const SESSION_AGENT_VERSION = 2;
/** Longest body of a session request. */
export const MAX_SESSION_CONFIG_BYTES = 128 * 1024;
/** Most bytes in one frame of a session, either way. */
export const MAX_SESSION_FRAME_BYTES = 32 * 1024;
