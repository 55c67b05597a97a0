// oxlint-disable-next-line import/no-unassigned-import -- @peculiar/x509 fails to load without this polyfill before it
import "reflect-metadata";
import { Extension } from "@peculiar/x509";

const NAME_CONSTRAINTS_OID = "2.5.29.30";
const SEQUENCE = 0x30;
/** [0] and [1] of NameConstraints (RFC 5280, 4.2.1.10). */
const PERMITTED_SUBTREES = 0xa0;
const EXCLUDED_SUBTREES = 0xa1;
/** [2] and [7] of GeneralName. */
const DNS_NAME = 0x82;
const IP_ADDRESS = 0x87;

/**
 * Makes a certificate authority worthless outside `domain`: whoever trusts it trusts no other DNS name and no IP
 * address because of it, even if the key leaks.
 */
export function nameConstraints(domain: string): Extension {
  const permitted = der(SEQUENCE, der(DNS_NAME, Buffer.from(domain, "ascii")));
  // Address and mask of all zeros: every IPv4, every IPv6 address.
  const excluded = [8, 32].map((length) => der(SEQUENCE, der(IP_ADDRESS, Buffer.alloc(length))));
  const value = der(SEQUENCE, der(PERMITTED_SUBTREES, permitted), der(EXCLUDED_SUBTREES, ...excluded));
  return new Extension(NAME_CONSTRAINTS_OID, true, value);
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const length =
    content.length < 0x80
      ? [content.length]
      : content.length < 0x100
        ? [0x81, content.length]
        : [0x82, content.length >> 8, content.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}
