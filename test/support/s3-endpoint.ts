import { readdir } from "node:fs/promises";
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { onTestFinished } from "vitest";
import { createS3Service } from "../../src/aws/s3/s3-service.ts";
import type { Store } from "../../src/store/store.ts";
import type { DiskReserve } from "../../src/util/disk-reserve.ts";
import { TEST_KEY, useApiEndpoint, useDirectory, useStore, type ApiEndpoint } from "./api-endpoint.ts";

export interface S3Endpoint extends ApiEndpoint {
  readonly store: Store;
  readonly objectsDirectory: string;
  client(config?: S3ClientConfig): S3Client;
  /** Names of the files that are kept. */
  files(): Promise<string[]>;
}

/** A live S3 service on a free port, and clients for it. */
export async function useS3({ disk }: { disk?: DiskReserve } = {}): Promise<S3Endpoint> {
  const objectsDirectory = await useDirectory();
  const store = useStore();
  const endpoint = await useApiEndpoint([createS3Service({ store, objectsDirectory, disk })]);
  return {
    ...endpoint,
    store,
    objectsDirectory,
    files: () => readdir(objectsDirectory),
    client(config = {}) {
      const client = new S3Client({
        endpoint: endpoint.url,
        region: "us-east-1",
        credentials: TEST_KEY,
        forcePathStyle: true,
        maxAttempts: 1,
        ...config,
      });
      onTestFinished(() => client.destroy());
      return client;
    },
  };
}
