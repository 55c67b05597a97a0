import type {
  CreateBucketCommandInput,
  GetBucketLocationCommandInput,
  HeadBucketCommandInput,
  ListBucketsCommandInput,
} from "@aws-sdk/client-s3";
import { ServiceFault } from "../../errors/service-fault.ts";
import type { Operation } from "../service.ts";
import { isValidBucketName, requireBucket, type BucketInput } from "./bucket-access.ts";
import { invalidArgument } from "./s3-faults.ts";
import type { S3Context } from "./s3-context.ts";

const DEFAULT_REGION = "us-east-1";
const MAX_BUCKETS_PER_PAGE = 10_000;

/** In us-east-1 making one's own bucket again succeeds; elsewhere it is an error, as it always was. */
export function createBucket({ store, now }: S3Context): Operation<CreateBucketCommandInput> {
  return async (input, { accountId, region }) => {
    const name = input.Bucket ?? "";
    if (!isValidBucketName(name))
      throw new ServiceFault("InvalidBucketName", "The specified bucket is not valid.", {
        status: 400,
        members: { BucketName: name },
      });
    const constraint = input.CreateBucketConfiguration?.LocationConstraint;
    const asked = constraint ? String(constraint) : DEFAULT_REGION;
    if (asked !== region && !(asked === "EU" && region === "eu-west-1")) {
      const what = constraint ? asked : "unspecified";
      const message = `The ${what} location constraint is incompatible for the region specific endpoint this request was sent to.`;
      throw new ServiceFault("IllegalLocationConstraintException", message, { status: 400 });
    }
    const row = { name, account_id: accountId, region, created_at: now() };
    const { numInsertedOrUpdatedRows } = await store.db
      .insertInto("s3_buckets")
      .values(row)
      .onConflict((c) => c.doNothing())
      .executeTakeFirst();
    if (numInsertedOrUpdatedRows === 0n) await refuseTaken(name);
    return { Location: region === DEFAULT_REGION ? `/${name}` : `http://${name}.s3.amazonaws.com/` };

    async function refuseTaken(bucket: string): Promise<void> {
      const owner = await store.db
        .selectFrom("s3_buckets")
        .select(["account_id", "region"])
        .where("name", "=", bucket)
        .executeTakeFirst();
      if (owner?.account_id !== accountId) {
        const message = "The requested bucket name is not available. Please select a different name and try again.";
        throw new ServiceFault("BucketAlreadyExists", message, { members: { BucketName: bucket } });
      }
      if (owner.region === DEFAULT_REGION && region === DEFAULT_REGION) return;
      const message = "Your previous request to create the named bucket succeeded and you already own it.";
      throw new ServiceFault("BucketAlreadyOwnedByYou", message, { members: { BucketName: bucket } });
    }
  };
}

export function deleteBucket({ store, files }: S3Context): Operation<BucketInput> {
  return async (input, { accountId }) => {
    const { name } = await requireBucket(store, input, accountId);
    const orphans = await store.db.transaction().execute(async (tx) => {
      const object = await tx
        .selectFrom("s3_objects")
        .select("key")
        .where("bucket", "=", name)
        .limit(1)
        .executeTakeFirst();
      if (object) {
        throw new ServiceFault("BucketNotEmpty", "The bucket you tried to delete is not empty", {
          status: 409,
          members: { BucketName: name },
        });
      }
      const parts = await tx
        .selectFrom("s3_parts")
        .innerJoin("s3_uploads", "s3_uploads.upload_id", "s3_parts.upload_id")
        .select("s3_parts.file")
        .where("s3_uploads.bucket", "=", name)
        .execute();
      await tx.deleteFrom("s3_uploads").where("bucket", "=", name).execute();
      await tx.deleteFrom("s3_buckets").where("name", "=", name).execute();
      return parts.map(({ file }) => file);
    });
    await files.remove(orphans);
  };
}

export function headBucket({ store }: S3Context): Operation<HeadBucketCommandInput> {
  return async (input, { accountId }) => {
    const bucket = await requireBucket(store, input, accountId);
    return { BucketRegion: bucket.region, AccessPointAlias: false };
  };
}

/** us-east-1 is written as nothing, as it has been since there was only one region. */
export function getBucketLocation({ store }: S3Context): Operation<GetBucketLocationCommandInput> {
  return async (input, { accountId }) => {
    const { region } = await requireBucket(store, input, accountId);
    return { LocationConstraint: region === DEFAULT_REGION ? undefined : region };
  };
}

/** Buckets have no versions; the empty configuration says so. */
export function getBucketVersioning({ store }: S3Context): Operation<BucketInput> {
  return async (input, { accountId }) => {
    await requireBucket(store, input, accountId);
    return {};
  };
}

export function listBuckets({ store }: S3Context): Operation<ListBucketsCommandInput> {
  return async (input, { accountId }) => {
    const max = input.MaxBuckets ?? MAX_BUCKETS_PER_PAGE;
    if (!Number.isInteger(max) || max < 1 || max > MAX_BUCKETS_PER_PAGE) {
      throw invalidArgument(`MaxBuckets must be between 1 and ${MAX_BUCKETS_PER_PAGE}`, "max-buckets", String(max));
    }
    let query = store.db.selectFrom("s3_buckets").selectAll().where("account_id", "=", accountId).orderBy("name");
    if (input.ContinuationToken)
      query = query.where("name", ">", Buffer.from(input.ContinuationToken, "base64url").toString());
    if (input.BucketRegion) query = query.where("region", "=", input.BucketRegion);
    // "~" sorts after every character that a bucket name may have.
    if (input.Prefix) query = query.where("name", ">=", input.Prefix).where("name", "<", `${input.Prefix}~`);
    const rows = await query.limit(max + 1).execute();
    const page = rows.slice(0, max);
    return {
      Buckets: page.map(({ name, region, created_at }) => ({
        Name: name,
        BucketRegion: region,
        CreationDate: new Date(created_at),
      })),
      Owner: { ID: accountId },
      Prefix: input.Prefix,
      ContinuationToken: rows.length > max ? Buffer.from(page.at(-1)?.name ?? "").toString("base64url") : undefined,
    };
  };
}
