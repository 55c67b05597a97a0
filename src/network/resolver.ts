import { readFile } from "node:fs/promises";
import { parseAddress } from "./slot.ts";

/** Files that may name the host's resolvers; the second lists what stands behind systemd-resolved's loopback stub. */
const RESOLVER_FILES = ["/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"];

/** An IPv4 resolver of the host that a guest can be forwarded to; loopback stubs cannot be. */
export async function hostResolver(): Promise<string> {
  for (const file of RESOLVER_FILES) {
    const text = await readFile(file, "utf8").catch(() => "");
    for (const match of text.matchAll(/^\s*nameserver\s+(\S+)/gm)) {
      const address = match[1] ?? "";
      if (parseAddress(address) !== undefined && !address.startsWith("127.")) return address;
    }
  }
  return FALLBACK_RESOLVER;
}

/** Only where the host names no resolver but a loopback stub. */
const FALLBACK_RESOLVER = "9.9.9.9";
