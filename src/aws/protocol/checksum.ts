import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { Crc32cJs, Crc64NvmeJs } from "@aws-sdk/checksums/crc";
import { ServiceFault } from "../../errors/service-fault.ts";

/** Algorithms of S3's `x-amz-checksum-…` headers and trailers. */
export const CHECKSUM_ALGORITHMS = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512", "MD5"] as const;
export type ChecksumAlgorithm = (typeof CHECKSUM_ALGORITHMS)[number];

export interface RunningChecksum {
  update(bytes: Uint8Array): void;
  /** Base64, as headers carry it. */
  digest(): Promise<string>;
}

export function checksumHeader(algorithm: ChecksumAlgorithm): string {
  return `x-amz-checksum-${algorithm.toLowerCase()}`;
}

export function isChecksumAlgorithm(name: string): name is ChecksumAlgorithm {
  return (CHECKSUM_ALGORITHMS as readonly string[]).includes(name);
}

export function startChecksum(algorithm: ChecksumAlgorithm): RunningChecksum {
  switch (algorithm) {
    case "CRC32":
      return runningCrc32();
    case "CRC32C":
      return encoded(new Crc32cJs());
    case "CRC64NVME":
      return encoded(new Crc64NvmeJs());
    default: {
      const hash = createHash(algorithm.toLowerCase());
      return { update: (bytes) => void hash.update(bytes), digest: async () => hash.digest("base64") };
    }
  }
}

function runningCrc32(): RunningChecksum {
  let value = 0;
  return {
    update(bytes) {
      value = crc32(bytes, value);
    },
    async digest() {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value >>> 0);
      return bytes.toString("base64");
    },
  };
}

function encoded(crc: { update(bytes: Uint8Array): void; digest(): Promise<Uint8Array> }): RunningChecksum {
  return {
    update: (bytes) => crc.update(bytes),
    digest: async () => Buffer.from(await crc.digest()).toString("base64"),
  };
}

/** Compares a collected body with `Content-MD5` and every known checksum header; BadDigest or InvalidDigest otherwise. */
export async function verifyDeclaredChecksums(
  headers: Readonly<Record<string, string>>,
  bytes: Uint8Array,
): Promise<void> {
  const md5 = headers["content-md5"];
  if (md5 !== undefined) checkMd5(md5, createHash("md5").update(bytes).digest("base64"));
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    const declared = headers[checksumHeader(algorithm)];
    if (declared === undefined) continue;
    const checksum = startChecksum(algorithm);
    checksum.update(bytes);
    if ((await checksum.digest()) !== declared) throw badChecksum(algorithm);
  }
}

/** Both base64. */
export function checkMd5(declared: string, actual: string): void {
  if (Buffer.from(declared, "base64").length !== 16) {
    throw new ServiceFault("InvalidDigest", "The Content-MD5 you specified was invalid.", { status: 400 });
  }
  if (declared !== actual) {
    throw new ServiceFault("BadDigest", "The Content-MD5 you specified did not match what we received.", {
      status: 400,
    });
  }
}

export function badChecksum(algorithm: ChecksumAlgorithm): ServiceFault {
  return new ServiceFault("BadDigest", `The ${algorithm} you specified did not match the calculated checksum.`, {
    status: 400,
  });
}
