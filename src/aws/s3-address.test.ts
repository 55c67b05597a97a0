import { expect, test } from "vitest";
import { readS3Address } from "./s3-address.ts";

test.each([
  ["127.0.0.1:4510", "/", undefined, "/"],
  ["localhost:4510", "/b", "b", "/"],
  ["localhost:4510", "/b/", "b", "/"],
  ["localhost", "/b/k%20/l", "b", "/k%20/l"],
  ["localhost", "/b//k", "b", "//k"],
  ["b.localhost:4510", "/k", "b", "/k"],
  ["B.localhost", "/", "b", "/"],
  ["my.bucket.localhost", "/k", "my.bucket", "/k"],
  ["b.s3.localhost", "/k", "b", "/k"],
  ["b.s3.us-east-1.localhost", "/k", "b", "/k"],
  ["my.bucket.s3-eu-west-1.localhost", "/k", "my.bucket", "/k"],
  ["s3.localhost", "/b/k", "b", "/k"],
  ["s3.us-east-1.localhost:1", "/b/k", "b", "/k"],
  ["b.example.org", "/x/k", "x", "/k"],
  ["", "/x/k", "x", "/k"],
])("host %s, path %s", (...[host, path, bucket, below]) => {
  expect(readS3Address(host, path, ["localhost"])).toEqual({ bucket, path: below });
});
