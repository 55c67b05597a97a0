import * as schemas from "@aws-sdk/client-s3";
import type { Store } from "../../store/store.ts";
import type { DiskReserve } from "../../util/disk-reserve.ts";
import type { ServiceDefinition } from "../service.ts";
import {
  createBucket,
  deleteBucket,
  getBucketLocation,
  getBucketVersioning,
  headBucket,
  listBuckets,
} from "./buckets.ts";
import { completeMultipartUpload } from "./complete-upload.ts";
import { copyObject } from "./copy-object.ts";
import { abortMultipartUpload, createMultipartUpload } from "./create-upload.ts";
import { deleteObject, deleteObjects } from "./delete-objects.ts";
import { getObject, getObjectTagging, headObject } from "./get-object.ts";
import { listObjects, listObjectsV2 } from "./list-objects.ts";
import { listMultipartUploads, listParts } from "./list-uploads.ts";
import { createObjectFiles } from "./object-files.ts";
import { putObject } from "./put-object.ts";
import type { S3Context } from "./s3-context.ts";
import { uploadPart, uploadPartCopy } from "./upload-part.ts";

export interface S3Options {
  readonly store: Store;
  /** Made when missing; belongs to this service alone. */
  readonly objectsDirectory: string;
  readonly disk?: DiskReserve;
  readonly now?: () => number;
}

/** S3 as far as the AWS CLI and SDKs use it to keep and hand out objects; all other operations answer NotImplemented. */
export function createS3Service({ store, objectsDirectory, disk, now = Date.now }: S3Options): ServiceDefinition {
  const context: S3Context = { store, files: createObjectFiles(objectsDirectory, disk), now };
  return {
    signingName: "s3",
    protocol: "restXml",
    schemas,
    xmlNamespace: "http://s3.amazonaws.com/doc/2006-03-01/",
    operations: {
      CreateBucket: createBucket(context),
      HeadBucket: headBucket(context),
      DeleteBucket: deleteBucket(context),
      ListBuckets: listBuckets(context),
      GetBucketLocation: getBucketLocation(context),
      GetBucketVersioning: getBucketVersioning(context),
      PutObject: putObject(context),
      GetObject: getObject(context),
      HeadObject: headObject(context),
      GetObjectTagging: getObjectTagging(context),
      CopyObject: copyObject(context),
      DeleteObject: deleteObject(context),
      DeleteObjects: deleteObjects(context),
      ListObjects: listObjects(context),
      ListObjectsV2: listObjectsV2(context),
      CreateMultipartUpload: createMultipartUpload(context),
      UploadPart: uploadPart(context),
      UploadPartCopy: uploadPartCopy(context),
      CompleteMultipartUpload: completeMultipartUpload(context),
      AbortMultipartUpload: abortMultipartUpload(context),
      ListParts: listParts(context),
      ListMultipartUploads: listMultipartUploads(context),
    },
  };
}

/** Deletes files that no object or part refers to: what a crash left. Call it once, before the service takes requests. */
export async function sweepObjectFiles({
  store,
  objectsDirectory,
}: Pick<S3Options, "store" | "objectsDirectory">): Promise<void> {
  const [objects, parts] = await Promise.all([
    store.db.selectFrom("s3_objects").select("file").execute(),
    store.db.selectFrom("s3_parts").select("file").execute(),
  ]);
  const known = new Set([...objects, ...parts].map(({ file }) => file));
  await createObjectFiles(objectsDirectory).sweep((file) => known.has(file));
}
