/** What microVMs and images used, as the service's price list counts it (contract 14). A GB is 2^30 bytes. */
export interface Usage {
  /** Of the size, for as long as it runs. */
  readonly baselineVcpuSeconds: number;
  /** Measured, beyond the baseline. */
  readonly aboveVcpuSeconds: number;
  readonly baselineGbSeconds: number;
  readonly aboveGbSeconds: number;
  /** Of the image when a microVM is run, of the sleeper when it wakes. */
  readonly snapshotReadGb: number;
  readonly snapshotWrittenGb: number;
  /** Of sleepers and of image versions. */
  readonly storageGbHours: number;
}

export const NO_USAGE: Usage = {
  baselineVcpuSeconds: 0,
  aboveVcpuSeconds: 0,
  baselineGbSeconds: 0,
  aboveGbSeconds: 0,
  snapshotReadGb: 0,
  snapshotWrittenGb: 0,
  storageGbHours: 0,
};

export const USAGE_ITEMS = Object.keys(NO_USAGE) as readonly (keyof Usage)[];

export const BYTES_PER_GB = 1024 ** 3;

export function addUsage(one: Usage, other: Partial<Usage>): Usage {
  return Object.fromEntries(USAGE_ITEMS.map((item) => [item, one[item] + (other[item] ?? 0)])) as unknown as Usage;
}

/** What a size is given while it runs: 2 GB of memory come with one vCPU (contract 3.8). */
export function baselineUsage(baselineMiB: number, seconds: number): Partial<Usage> {
  return { baselineVcpuSeconds: (baselineMiB / 2048) * seconds, baselineGbSeconds: (baselineMiB / 1024) * seconds };
}
