import { randomUUID } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BuiltImage } from "../src/build/image-builder.ts";
import { homePaths } from "../src/config/paths.ts";
import { ENGINE_FILES } from "../src/engine/engine.ts";
import { imageArn } from "../src/model/arn.ts";
import { managedConnectorArn } from "../src/model/connectors.ts";
import { openSqliteStore } from "../src/store/sqlite/sqlite-store.ts";
import type { Database } from "../src/store/tables.ts";
import type { Insertable } from "kysely";

export const OWNER = { account_id: "123456789012", region: "us-east-1" } as const;

export interface Stored {
  readonly imageArns: readonly string[];
  readonly microvmIds: readonly string[];
}

type Rows<T extends keyof Database> = Insertable<Database[T]>;

/** Rows to a statement: SQLite takes 32,766 variables. */
const BATCH = 500;

/** A home that holds so many built images and, of each, one microVM: asleep or ended by turns. */
export async function fillStore(home: string, count: number): Promise<Stored> {
  const paths = homePaths(home);
  const template = join(home, "template");
  await mkdir(template, { recursive: true });
  await writeFile(join(template, ENGINE_FILES.templateUpper), "0");
  const store = openSqliteStore(paths.database);
  const arns = Array.from({ length: count }, (_, index) =>
    imageArn({ region: OWNER.region, account: OWNER.account_id, name: `image-${String(index).padStart(6, "0")}` }),
  );
  const microvms = arns.map((arn, index) => microvmRow(arn, index));
  await store.db.transaction().execute(async (db) => {
    for (let at = 0; at < count; at += BATCH) {
      const some = arns.slice(at, at + BATCH);
      await db.insertInto("images").values(some.map(imageRow)).execute();
      await db.insertInto("image_versions").values(some.map(versionRow)).execute();
      await db
        .insertInto("image_builds")
        .values(some.map((arn) => buildRow(arn, template)))
        .execute();
      await db
        .insertInto("microvms")
        .values(microvms.slice(at, at + BATCH))
        .execute();
    }
  });
  await store.close();
  return { imageArns: arns, microvmIds: microvms.map(({ id }) => id) };
}

const now = Date.now();

function imageRow(arn: string): Rows<"images"> {
  const name = arn.split(":").at(-1) ?? "";
  return { arn, ...OWNER, name, state: "CREATED", last_version: 1, tags_json: '{"team":"a"}', created_at: now };
}

function versionRow(image_arn: string): Rows<"image_versions"> {
  const settings = {
    baseImageArn: `arn:aws:lambda:${OWNER.region}:aws:microvm-image:al2023-1`,
    buildRoleArn: `arn:aws:iam::${OWNER.account_id}:role/Build`,
    codeArtifact: { uri: "s3://bucket/app.zip" },
    egressNetworkConnectors: [managedConnectorArn(OWNER.region, "INTERNET_EGRESS")],
    resources: [{ minimumMemoryInMiB: 2048 }],
  };
  const request_json = JSON.stringify(settings);
  return { image_arn, version: "1.0", number: 1, state: "SUCCESSFUL", status: "ACTIVE", request_json, created_at: now };
}

function buildRow(image_arn: string, directory: string): Rows<"image_builds"> {
  const image: BuiltImage = {
    template: { directory, shape: { memoryMiB: 8192, vcpus: 1 }, fingerprint: "test" },
    rootfs: join(directory, "rootfs"),
    container: {
      argv: [],
      env: {},
      workingDir: "/",
      user: "",
      exposedTcpPorts: [],
      stopSignal: 15,
      allCapabilities: false,
    },
  };
  return {
    build_id: buildIdOf(image_arn),
    image_arn,
    version: "1.0",
    host_id: "host",
    state: "SUCCESSFUL",
    architecture: "X86_64",
    chipset: "GENERIC",
    chipset_generation: "1",
    template_json: JSON.stringify(image),
    created_at: now,
  };
}

function microvmRow(image_arn: string, index: number): Rows<"microvms"> {
  const isAsleep = index % 2 === 0;
  const label = randomUUID();
  const request = {
    idlePolicy: { maxIdleDurationSeconds: 900, suspendedDurationSeconds: 28_800, autoResumeEnabled: true },
    maximumDurationInSeconds: 28_800,
    ingressNetworkConnectors: [managedConnectorArn(OWNER.region, "HTTP_INGRESS")],
    egressNetworkConnectors: [managedConnectorArn(OWNER.region, "INTERNET_EGRESS")],
  };
  return {
    id: `microvm-${randomUUID()}`,
    ...OWNER,
    host_id: "host",
    image_arn,
    image_version: "1.0",
    build_id: buildIdOf(image_arn),
    state: isAsleep ? "SUSPENDED" : "TERMINATED",
    state_reason: isAsleep ? null : "Success.",
    endpoint_label: label,
    endpoint: `${label}.lambda-microvm.${OWNER.region}.localhost`,
    request_json: JSON.stringify(request),
    last_activity_at: now,
    suspended_at: isAsleep ? now : null,
    started_at: now + index,
    terminated_at: isAsleep ? null : now,
  };
}

const buildIdOf = (arn: string) => `build-${arn.split(":").at(-1)}`;
