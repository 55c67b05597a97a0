/** Calls of one operation that one account may make: steadily, and at once after a pause. */
export interface CallRate {
  readonly perSecond: number;
  readonly burst: number;
}

/** What one account may have in one Region (contract 13); what is left out has no limit. */
export interface Quotas {
  readonly images?: number;
  readonly versionsPerImage?: number;
  readonly concurrentBuilds?: number;
  /** Over all microVMs that are not TERMINATED, by the size of their image. */
  readonly memoryGB?: number;
  readonly networkConnectors?: number;
  /** By operation; of an account over all Regions. */
  readonly rates?: Readonly<Record<string, CallRate>>;
}

export const NO_QUOTAS: Quotas = {};

const rate = (perSecond: number): CallRate => ({ perSecond, burst: perSecond });

/** The service's defaults outside its four largest Regions. */
export const SERVICE_QUOTAS: Quotas = {
  images: 100,
  versionsPerImage: 50,
  concurrentBuilds: 5,
  memoryGB: 400,
  rates: {
    RunMicrovm: rate(5),
    ResumeMicrovm: rate(5),
    SuspendMicrovm: rate(2),
    TerminateMicrovm: rate(10),
    GetMicrovm: rate(100),
    CreateMicrovmAuthToken: rate(50),
    CreateMicrovmShellAuthToken: rate(5),
  },
};

export const QUOTA_SERVICE_CODE = "lambda";

export const QUOTA_CODES = {
  images: "L-942E56BE",
  versionsPerImage: "L-F8BECE9C",
  concurrentBuilds: "L-72E0D058",
  memoryGB: "L-CD1C0CC4",
} as const;

/** Codes of the rates that have one. */
export const RATE_CODES: Readonly<Record<string, string>> = {
  RunMicrovm: "L-535CA9B6",
  ResumeMicrovm: "L-118C44B3",
  SuspendMicrovm: "L-90045317",
  TerminateMicrovm: "L-74787B8A",
  CreateMicrovmAuthToken: "L-7712260B",
};
