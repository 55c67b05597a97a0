import { lookup } from "node:dns";
import type { LookupFunction } from "node:net";

/** Names below localhost are this machine's, whatever the resolver knows of them (RFC 6761). */
export const lookupLoopback: LookupFunction = (name, options, done) => {
  if (name === "localhost" || name.endsWith(".localhost")) {
    const address = { address: "127.0.0.1", family: 4 };
    if (options.all === true) done(null, [address]);
    else done(null, address.address, address.family);
    return;
  }
  lookup(name, options, done);
};
