import { parseCopySource } from "../s3/copy-object.ts";
import { onAnything, type Permission, type PermissionRule, type PermissionTable } from "./permission.ts";

/* The S3 actions as the service authorization reference assigns them to operations. */

function bucketArn(bucket: string | undefined): string {
  return `arn:aws:s3:::${bucket ?? ""}`;
}

function objectArn(bucket: string | undefined, key: string | undefined): string {
  return `${bucketArn(bucket)}/${key ?? ""}`;
}

function onBucket(action: string): PermissionRule {
  return ({ Bucket }) => [{ action, resource: bucketArn(Bucket) }];
}

function onObject(action: string): PermissionRule {
  return ({ Bucket, Key }) => [{ action, resource: objectArn(Bucket, Key) }];
}

/** What is listed may be bound to a prefix. */
const list: PermissionRule = ({ Bucket, Prefix, Delimiter, MaxKeys }) => {
  const context = new Map([["s3:prefix", String(Prefix ?? "")]]);
  if (Delimiter !== undefined) context.set("s3:delimiter", String(Delimiter));
  if (MaxKeys !== undefined) context.set("s3:max-keys", String(MaxKeys));
  return [{ action: "s3:ListBucket", resource: bucketArn(Bucket), context }];
};

const copy: PermissionRule = ({ Bucket, Key, CopySource }) => {
  const source = parseCopySource(CopySource ?? "");
  return [
    { action: "s3:GetObject", resource: objectArn(source.bucket, source.key) },
    { action: "s3:PutObject", resource: objectArn(Bucket, Key) },
  ];
};

/** Each key is allowed or refused by itself. */
const deleteMany: PermissionRule = ({ Bucket, Delete }) => {
  const keys: readonly { Key?: string }[] = Delete?.Objects ?? [];
  const permission = (key: string | undefined): Permission => ({
    action: "s3:DeleteObject",
    resource: objectArn(Bucket, key),
    part: key,
  });
  return keys.length > 0
    ? keys.map(({ Key }) => permission(Key))
    : [{ action: "s3:DeleteObject", resource: objectArn(Bucket, "*") }];
};

export const S3_PERMISSIONS: PermissionTable = {
  CreateBucket: onBucket("s3:CreateBucket"),
  HeadBucket: onBucket("s3:ListBucket"),
  DeleteBucket: onBucket("s3:DeleteBucket"),
  ListBuckets: onAnything("s3:ListAllMyBuckets"),
  GetBucketLocation: onBucket("s3:GetBucketLocation"),
  GetBucketVersioning: onBucket("s3:GetBucketVersioning"),
  PutObject: onObject("s3:PutObject"),
  GetObject: onObject("s3:GetObject"),
  HeadObject: onObject("s3:GetObject"),
  GetObjectTagging: onObject("s3:GetObjectTagging"),
  CopyObject: copy,
  DeleteObject: onObject("s3:DeleteObject"),
  DeleteObjects: deleteMany,
  ListObjects: list,
  ListObjectsV2: list,
  CreateMultipartUpload: onObject("s3:PutObject"),
  UploadPart: onObject("s3:PutObject"),
  UploadPartCopy: copy,
  CompleteMultipartUpload: onObject("s3:PutObject"),
  AbortMultipartUpload: onObject("s3:AbortMultipartUpload"),
  ListParts: onObject("s3:ListMultipartUploadParts"),
  ListMultipartUploads: onBucket("s3:ListBucketMultipartUploads"),
};
