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
} as const;
