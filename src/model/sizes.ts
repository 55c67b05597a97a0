export type Architecture = "X86_64" | "ARM_64";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** A size tier of contract 3.8, keyed by `minimumMemoryInMiB`. */
export interface SizeTier {
  readonly baselineMiB: number;
  /** Memory the guest sees from the start: four times the baseline. */
  readonly peakMiB: number;
  readonly peakVcpus: number;
  readonly diskBytes: number;
  readonly bandwidthBytesPerSecond: number;
  readonly connections: number;
}

const tier = (baselineMiB: number, diskGiB: number): SizeTier => ({
  baselineMiB,
  peakMiB: baselineMiB * 4,
  peakVcpus: baselineMiB / 512,
  diskBytes: diskGiB * GIB,
  bandwidthBytesPerSecond: (baselineMiB / 512) * 1_000_000,
  connections: (baselineMiB / 512) * 8,
});

export const SIZE_TIERS: readonly SizeTier[] = [
  tier(512, 8),
  tier(1024, 8),
  tier(2048, 8),
  tier(4096, 16),
  tier(8192, 32),
];

export const DEFAULT_MEMORY_MIB = 2048;

export const SUPPORTED_MEMORY_MIB: readonly number[] = SIZE_TIERS.map((t) => t.baselineMiB);

export function sizeTier(baselineMiB: number): SizeTier | undefined {
  return SIZE_TIERS.find((t) => t.baselineMiB === baselineMiB);
}
