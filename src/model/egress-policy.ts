/** Where a microVM may open connections to; its answers to what comes in are never touched. */
export type EgressPolicy =
  /** Public addresses by TCP, and DNS (contract 8.1). */
  | { readonly kind: "internet" }
  /** Nothing but its own metadata: no DNS either, which would carry data out. */
  | { readonly kind: "none" }
  /** TCP, UDP and echo to these IPv4 networks, and DNS; 0.0.0.0/0 stands for public addresses, as in a route table. */
  | { readonly kind: "routes"; readonly networks: readonly string[] };

export const DEFAULT_ROUTE = "0.0.0.0/0";

const NETWORK = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/;

/** Whether the text is an IPv4 network in CIDR form with no bits set below its prefix. */
export function isNetwork(text: string): boolean {
  const parts = NETWORK.exec(text)?.slice(1).map(Number);
  if (!parts) return false;
  const [a = 0, b = 0, c = 0, d = 0, length = 0] = parts;
  if (length > 32 || [a, b, c, d].some((part) => part > 255)) return false;
  return (a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d) % 2 ** (32 - length) === 0;
}
