import * as lambda from "@aws-sdk/client-lambda-microvms";
import * as s3 from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import { RouteTable } from "./route-table.ts";
import { readServiceModel } from "./service-model.ts";

const lambdaRoutes = new RouteTable(readServiceModel(lambda).operations.values());
const s3Routes = new RouteTable(readServiceModel(s3).operations.values());

function find(
  routes: RouteTable,
  method: string,
  target: string,
  more: { headers?: Record<string, string>; ambient?: Record<string, string> } = {},
) {
  const [path = "", search = ""] = target.split("?");
  const route = routes.find({ method, path, query: [...new URLSearchParams(search)], headers: {}, ...more });
  return route && [route.operation.name, route.labels];
}

test("every operation of lambda-microvms is found by its own template", () => {
  for (const operation of readServiceModel(lambda).operations.values()) {
    const path = operation.pathTemplate.replaceAll(/\{\w+\}/g, "a%3Ab%2Fc");
    const [name, labels] = find(lambdaRoutes, operation.method, path) ?? [];
    expect(name).toBe(operation.name);
    expect(Object.values(labels ?? {}).every((label) => label === "a:b/c")).toBe(true);
  }
});

test("an unencoded slash in an identifier is no route", () => {
  expect(find(lambdaRoutes, "GET", "/2025-09-09/microvm-images/arn:aws:lambda/x")).toBeUndefined();
  expect(find(lambdaRoutes, "PATCH", "/2025-09-09/microvms")).toBeUndefined();
  expect(() => find(lambdaRoutes, "GET", "/2025-09-09/microvms/%zz")).toThrow(URIError);
});

test.each([
  ["GET", "/", undefined, {}, "ListBuckets"],
  ["GET", "/", "b", {}, "ListObjects"],
  ["GET", "/?list-type=2", "b", {}, "ListObjectsV2"],
  ["GET", "/?location", "b", {}, "GetBucketLocation"],
  ["GET", "/?uploads&prefix=a", "b", {}, "ListMultipartUploads"],
  ["HEAD", "/", "b", {}, "HeadBucket"],
  ["PUT", "/", "b", {}, "CreateBucket"],
  ["PUT", "/?acl", "b", {}, "PutBucketAcl"],
  ["POST", "/?delete", "b", {}, "DeleteObjects"],
  ["GET", "/k?x-id=GetObject", "b", {}, "GetObject"],
  ["GET", "/k?uploadId=1", "b", {}, "ListParts"],
  ["GET", "/k?tagging", "b", {}, "GetObjectTagging"],
  ["HEAD", "/k/l", "b", {}, "HeadObject"],
  ["PUT", "/k", "b", {}, "PutObject"],
  ["PUT", "/k", "b", { "x-amz-copy-source": "a/b" }, "CopyObject"],
  ["PUT", "/k?partNumber=1&uploadId=2", "b", {}, "UploadPart"],
  ["PUT", "/k?partNumber=1&uploadId=2", "b", { "x-amz-copy-source": "a/b" }, "UploadPartCopy"],
  ["PUT", "/k?tagging", "b", {}, "PutObjectTagging"],
  ["POST", "/k?uploads", "b", {}, "CreateMultipartUpload"],
  ["POST", "/k?uploadId=1", "b", {}, "CompleteMultipartUpload"],
  ["DELETE", "/k", "b", {}, "DeleteObject"],
  ["DELETE", "/k?uploadId=1", "b", {}, "AbortMultipartUpload"],
  ["DELETE", "/", "b", {}, "DeleteBucket"],
  ["POST", "/WriteGetObjectResponse?uploads", "b", {}, "CreateMultipartUpload"],
])("S3: %s %s of bucket %s with %j is %5$s", (...[method, target, bucket, headers, name]) => {
  const ambient = bucket === undefined ? undefined : { Bucket: bucket };
  expect(find(s3Routes, method, target, { headers, ambient })?.[0]).toBe(name);
});

test("a greedy label keeps its slashes", () => {
  expect(find(s3Routes, "GET", "/a%20b//c%2Fd/", { ambient: { Bucket: "b" } })).toEqual([
    "GetObject",
    { Bucket: "b", Key: "a b//c/d/" },
  ]);
});
