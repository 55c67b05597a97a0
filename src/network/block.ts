import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../errors/app-error.ts";
import { runCommand } from "../util/run-command.ts";
import { formatBlock, parseAddress, type SlotBlock } from "./slot.ts";

/** Where "auto" looks for a free block: 10.208.0.0/12 holds 256 blocks of /20, each good for 2,048 slots. */
const AUTO_RANGE_BASE = 0x0ad0_0000;
const AUTO_PREFIX = 20;
const AUTO_BLOCKS = 256;

interface Range {
  readonly base: number;
  readonly size: number;
}

/** Keeps the automatic choice: machines that outlive the server have addresses of it. */
const BLOCK_FILE = "network-block";

/** The block of this home: as configured, as chosen before, or a free one from a place that follows from the path. */
export async function chooseBlock(home: string, configured: string): Promise<SlotBlock> {
  const digest = createHash("sha256").update(home).digest();
  const tag = digest.subarray(0, 2).toString("hex");
  if (configured !== "auto") return { tag, ...parseBlock(configured) };
  const file = join(home, BLOCK_FILE);
  const earlier = await readFile(file, "utf8").catch(() => undefined);
  if (earlier !== undefined) return { tag, ...parseBlock(earlier.trim()) };
  const block = { tag, ...(await findFreeBlock(digest)) };
  await writeFile(file, `${formatBlock(block)}\n`);
  return block;
}

async function findFreeBlock(digest: Buffer): Promise<{ base: number; prefixLength: number }> {
  const taken = (await routedRanges()).filter((range) => range.size < 2 ** 24);
  for (let step = 0; step < AUTO_BLOCKS; step++) {
    const base = AUTO_RANGE_BASE + ((digest.readUInt16BE(2) + step) % AUTO_BLOCKS) * 2 ** (32 - AUTO_PREFIX);
    const size = 2 ** (32 - AUTO_PREFIX);
    if (!taken.some((range) => range.base < base + size && base < range.base + range.size)) {
      return { base, prefixLength: AUTO_PREFIX };
    }
  }
  throw new AppError("ERR_NETWORK_SLOT", {
    message: "Every block of 10.208.0.0/12 is routed elsewhere; set CATNAP_SLOT_SUBNET to a free one",
  });
}

function parseBlock(text: string): { base: number; prefixLength: number } {
  const [address, length] = text.split("/");
  const base = parseAddress(address ?? "");
  const prefixLength = Number(length);
  if (base === undefined || !Number.isInteger(prefixLength) || prefixLength < 16 || prefixLength > 24) {
    throw new AppError("ERR_CONFIG_INVALID", {
      message: `CATNAP_SLOT_SUBNET=${text} is not an IPv4 block from /16 to /24, such as 10.208.0.0/20`,
    });
  }
  return { base: base - (base % 2 ** (32 - prefixLength)), prefixLength };
}

async function routedRanges(): Promise<Range[]> {
  const { stdout } = await runCommand("ip", ["-j", "-4", "route", "show", "table", "all"]);
  const routes = JSON.parse(stdout) as { dst?: string }[];
  return routes.flatMap(({ dst }) => {
    const [address, length] = (dst ?? "").split("/");
    const base = parseAddress(address ?? "");
    return base === undefined ? [] : [{ base, size: 2 ** (32 - Number(length ?? 32)) }];
  });
}
