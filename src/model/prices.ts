/** Money for each unit of usage; a GB is 2^30 bytes. */
export interface PriceTable {
  readonly currency: string;
  readonly vcpuSecond: number;
  readonly memoryGbSecond: number;
  readonly snapshotReadGb: number;
  readonly snapshotWriteGb: number;
  readonly storageGbHour: number;
}

/** The service's list for Graviton in us-east-1 (contract 14). */
const NORTH_VIRGINIA: PriceTable = {
  currency: "USD",
  vcpuSecond: 0.0000276944,
  memoryGbSecond: 0.0000036667,
  snapshotReadGb: 0.0015467699,
  snapshotWriteGb: 0.0037977138,
  storageGbHour: 0.0001111111,
};

/** Of Ireland the compute prices are known to the last digit; all else is known as a surcharge on us-east-1 (contract 14). */
const SERVICE_PRICES: Readonly<Record<string, PriceTable>> = {
  "eu-west-1": {
    ...surcharged({ snapshotReadGb: 1.06, snapshotWriteGb: 1.07, storageGbHour: 1.19 }),
    vcpuSecond: 0.0000291572,
    memoryGbSecond: 0.0000038603,
  },
  "ap-northeast-1": surcharged({
    vcpuSecond: 1.164,
    memoryGbSecond: 1.164,
    snapshotReadGb: 1.199,
    snapshotWriteGb: 1.226,
    storageGbHour: 1.2,
  }),
};

/** What the service takes in a Region; where that is not known, what it takes in us-east-1. */
export function servicePrices(region: string): PriceTable {
  return Object.hasOwn(SERVICE_PRICES, region) ? (SERVICE_PRICES[region] as PriceTable) : NORTH_VIRGINIA;
}

type Rate = Exclude<keyof PriceTable, "currency">;

function surcharged(factors: Partial<Record<Rate, number>>): PriceTable {
  const rates = Object.entries(factors).map(([rate, factor]) => {
    const price = NORTH_VIRGINIA[rate as Rate] * factor;
    return [rate, Number(price.toFixed(10))]; // as many digits as the list has
  });
  return { ...NORTH_VIRGINIA, ...Object.fromEntries(rates) };
}
