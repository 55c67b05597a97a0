import { expect, test } from "vitest";
import { CHECKSUM_ALGORITHMS, startChecksum, verifyDeclaredChecksums } from "./checksum.ts";

const bytes = Buffer.from("123456789");

/** The check values that the catalogues of CRC algorithms give for "123456789". */
test.each([
  ["CRC32", "cbf43926"],
  ["CRC32C", "e3069283"],
  ["CRC64NVME", "ae8b14860a799888"],
] as const)("%s has its published check value", async (algorithm, hex) => {
  const running = startChecksum(algorithm);
  running.update(bytes.subarray(0, 4));
  running.update(bytes.subarray(4));
  expect(await running.digest()).toBe(Buffer.from(hex, "hex").toString("base64"));
});

test("a collected body is compared with every digest it declares", async () => {
  for (const algorithm of CHECKSUM_ALGORITHMS) {
    const running = startChecksum(algorithm);
    running.update(bytes);
    const name = `x-amz-checksum-${algorithm.toLowerCase()}`;
    await verifyDeclaredChecksums({ [name]: await running.digest() }, bytes);
    await expect(verifyDeclaredChecksums({ [name]: "AAAA" }, bytes)).rejects.toMatchObject({ shape: "BadDigest" });
  }
});
