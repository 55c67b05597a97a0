import { join } from "node:path";
import { z } from "zod";
import { isNetwork } from "../model/egress-policy.ts";
import { activitySetting } from "./activity-setting.ts";
import { jsonSetting } from "./json-setting.ts";
import { priceSetting } from "./price-setting.ts";
import { quotaSetting } from "./quota-setting.ts";

/**
 * Every setting of the server, once: its environment variable, default, and one-line help. `catnap up --help` and
 * docs/configuration.md are made from this table; nothing else reads `process.env`.
 */
export const OPTIONS = {
  home: {
    env: "CATNAP_HOME",
    schema: z.string().startsWith("/"),
    default: "/var/lib/catnap",
    help: "Directory of all state.",
  },
  region: {
    env: "CATNAP_REGION",
    schema: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/),
    default: "us-east-1",
    help: "Region in ARNs and endpoint names when a request names none.",
  },
  accountId: {
    env: "CATNAP_ACCOUNT_ID",
    schema: z.string().regex(/^\d{12}$/),
    default: "123456789012",
    help: "Account id of the bootstrap key.",
  },
  accountsFile: {
    env: "CATNAP_ACCOUNTS",
    schema: z.string().regex(/^(\/.*)?$/, "an absolute path"),
    default: "",
    help: "JSON file of further accounts, users, access keys and their policies (docs/permissions.md).",
  },
  bind: {
    env: "CATNAP_BIND",
    schema: z.string().min(1),
    default: "127.0.0.1",
    help: "Address that the API and the endpoints listen on.",
  },
  apiPort: {
    env: "CATNAP_API_PORT",
    schema: z.coerce.number().int().min(0).max(65535),
    default: 4510,
    help: "Port of the AWS API (HTTP); 0 picks a free one.",
  },
  endpointPort: {
    env: "CATNAP_ENDPOINT_PORT",
    schema: z.coerce.number().int().min(0).max(65535),
    default: 443,
    help: "Port of the microVM endpoints (TLS); 0 picks a free one.",
  },
  domain: {
    env: "CATNAP_DOMAIN",
    schema: z.string().regex(/^[a-z0-9.-]+$/),
    default: "localhost",
    help: "Domain that endpoint names end in.",
  },
  baseImages: {
    env: "CATNAP_BASE_IMAGES",
    schema: z.string(),
    default: "",
    help: "Base images taken from elsewhere: name=source pairs, separated by commas; a source is an image reference or oci-archive:/path.",
  },
  buildCaBundle: {
    env: "CATNAP_BUILD_CA_BUNDLE",
    schema: z.string(),
    default: "auto",
    help: "CA bundle handed into image builds: a path, auto (the host's), or none.",
  },
  acceleration: {
    env: "CATNAP_ACCELERATION",
    schema: z.enum(["auto", "kvm", "tcg"]),
    default: "auto",
    help: "auto measures which acceleration works.",
  },
  slotSubnet: {
    env: "CATNAP_SLOT_SUBNET",
    schema: z.string(),
    default: "auto",
    help: "IPv4 block for the host side of microVM networks, /16 to /24; auto picks a free one.",
  },
  s3Endpoint: {
    env: "CATNAP_S3_ENDPOINT",
    schema: z.string().regex(/^(aws|https?:\/\/[^\s/]+\/?)?$/, "aws, or a URL such as https://s3.example:9000"),
    default: "",
    help: "Another S3, from which image builds read artifacts of buckets that are not here: its URL, or aws.",
  },
  s3CredentialsFile: {
    env: "CATNAP_S3_CREDENTIALS",
    schema: z.string().regex(/^(\/.*)?$/, "an absolute path"),
    default: "",
    help: 'JSON file with the key for CATNAP_S3_ENDPOINT: {"accessKeyId":"...","secretAccessKey":"..."}, readable by its owner only.',
  },
  subnets: {
    env: "CATNAP_SUBNETS",
    schema: jsonSetting(
      z.record(
        z.string().regex(/^subnet-[0-9a-z]*$/, "a key is no subnet id"),
        z.array(z.string().refine(isNetwork, "a value is no IPv4 network such as 10.20.0.0/16")).max(64),
      ),
    ),
    default: "",
    help: 'Where subnets of network connectors lead to, as JSON: {"subnet-0a1":["10.20.0.0/16","0.0.0.0/0"]}; one not named leads to the internet.',
  },
  slotPoolSize: {
    env: "CATNAP_SLOT_POOL",
    schema: z.coerce.number().int().min(0).max(64),
    default: 2,
    help: "Network slots kept ready.",
  },
  preparedPerImage: {
    env: "CATNAP_PREPARED",
    schema: z.coerce.number().int().min(0).max(8),
    default: 1,
    help: "Machines started ahead for each image that was run in the last minutes, about 30 MB each.",
  },
  readyTimeoutSeconds: {
    env: "CATNAP_READY_TIMEOUT",
    schema: z.coerce.number().int().min(1).max(3600),
    default: 120,
    help: "How long a build waits for the app of an image without hooks to become ready.",
  },
  dozeSeconds: {
    env: "CATNAP_DOZE_SECONDS",
    schema: z.coerce.number().min(0).max(86400),
    default: 10,
    help: "How long a suspended microVM stays in memory, already safe on disk, before its process ends.",
  },
  guestDirectory: {
    env: "CATNAP_GUEST",
    schema: z.string(),
    default: join(import.meta.dirname, "../../.cache/guest"),
    help: "Directory of the guest's kernel and initramfs, made by ./dev setup.",
  },
  endpointLimits: {
    env: "CATNAP_ENDPOINT_LIMITS",
    schema: z.enum(["off", "service"]),
    default: "off",
    help: "service: connections, requests a second and bandwidth of each endpoint as the service has them, by size.",
  },
  corsOrigins: {
    env: "CATNAP_CORS_ORIGINS",
    schema: z
      .string()
      .regex(/^(\*|https?:\/\/[^\s,/]+(\s*,\s*https?:\/\/[^\s,/]+)*)?$/, "* or origins separated by commas"),
    default: "",
    help: "Origins whose pages may call endpoints with a token: https://a.example,https://b.example, or *.",
  },
  memoryReserveMiB: {
    env: "CATNAP_MEMORY_RESERVE_MIB",
    schema: z.union([z.literal("auto"), z.coerce.number().int().min(0)]),
    default: "auto",
    help: "Memory of the host kept free: with less no microVM is started or woken from disk. auto: 5 %, at least 512.",
  },
  diskReserveMiB: {
    env: "CATNAP_DISK_RESERVE_MIB",
    schema: z.union([z.literal("auto"), z.coerce.number().int().min(0)]),
    default: "auto",
    help: "Disk kept free for microVMs that are put to sleep: with less nothing is started, built or uploaded, with a quarter nothing is woken. auto: 5 %, 512 to 16384.",
  },
  logStorageMiB: {
    env: "CATNAP_LOG_STORAGE_MIB",
    schema: z.coerce.number().int().min(1).max(1_048_576),
    default: 1024,
    help: "CloudWatch Logs keeps at most this much of all groups together; the oldest events go first.",
  },
  accessLog: {
    env: "CATNAP_ACCESS_LOG",
    schema: z.enum(["off", "on"]),
    default: "off",
    help: "on writes a line for every request to an endpoint; CATNAP_LOG_LEVEL=debug does too.",
  },
  metricsPort: {
    env: "CATNAP_METRICS_PORT",
    schema: z.union([z.literal("off"), z.coerce.number().int().min(0).max(65535)]),
    default: "off",
    help: "Port on 127.0.0.1 of /metrics for Prometheus; 0 picks a free one.",
  },
  strictArchitecture: {
    env: "CATNAP_STRICT_ARCHITECTURE",
    schema: z.enum(["off", "on"]),
    default: "off",
    help: "on refuses images that ask for another architecture than this host's; off builds them for this host and says so.",
  },
  quotas: {
    env: "CATNAP_QUOTAS",
    schema: quotaSetting,
    default: "off",
    help: 'Limits of each account: off, service (what the service grants), or JSON: {"images":100,"versionsPerImage":50,"concurrentBuilds":5,"memoryGB":64,"networkConnectors":10,"rates":{"RunMicrovm":5}}.',
  },
  activity: {
    env: "CATNAP_ACTIVITY",
    schema: activitySetting,
    default: "traffic",
    help: "What keeps a microVM from being idle, separated by commas: traffic through its endpoint (always), cpu (more than a tenth of a processor used in a second), keep-alive (a PUT of its own to http://169.254.169.254/latest/keep-alive).",
  },
  maximumDurationSeconds: {
    env: "CATNAP_MAX_DURATION_SECONDS",
    schema: z.coerce.number().int().min(28_800).max(315_360_000),
    default: 28_800,
    help: "Longest maximumDurationInSeconds that a run may ask for; a run that asks for none gets eight hours, as ever.",
  },
  freshIdentity: {
    env: "CATNAP_FRESH_IDENTITY",
    schema: z.enum(["off", "on"]),
    default: "off",
    help: "on gives every microVM a host name and a machine-id of its own; off leaves those of its image, as the service does.",
  },
  prices: {
    env: "CATNAP_PRICES",
    schema: priceSetting,
    default: "service",
    help: 'What usage costs: service (its list, by Region), or one table as JSON: {"currency":"EUR","vcpuSecond":0.00001,"memoryGbSecond":0.000002,"snapshotReadGb":0,"snapshotWriteGb":0,"storageGbHour":0.0001}.',
  },
  usageRetentionDays: {
    env: "CATNAP_USAGE_RETENTION_DAYS",
    schema: z.coerce.number().int().min(7).max(3650),
    default: 400,
    help: "How long usage records are kept.",
  },
  logLevel: {
    env: "CATNAP_LOG_LEVEL",
    schema: z.enum(["debug", "info", "warn", "error"]),
    default: "info",
    help: "Least severe log line written.",
  },
} as const;

export type OptionName = keyof typeof OPTIONS;
export type Config = { readonly [K in OptionName]: z.output<(typeof OPTIONS)[K]["schema"]> };
