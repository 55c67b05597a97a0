import { IAMClient } from "@aws-sdk/client-iam";
import { LambdaMicrovmsClient } from "@aws-sdk/client-lambda-microvms";
import { S3Client } from "@aws-sdk/client-s3";
import { STSClient } from "@aws-sdk/client-sts";
import type { SigningKey } from "./sign-request.ts";

/** The SDK's clients of every service, without retries: what they meet is what a test sees. */
export function openClients({ url, key }: { readonly url: string; readonly key: SigningKey }) {
  const settings = { endpoint: url, region: "us-east-1", credentials: key, maxAttempts: 1 };
  const clients = {
    lambda: new LambdaMicrovmsClient(settings),
    s3: new S3Client({ ...settings, forcePathStyle: true }),
    iam: new IAMClient(settings),
    sts: new STSClient(settings),
  };
  return {
    ...clients,
    destroy() {
      for (const client of Object.values(clients)) client.destroy();
    },
  };
}

export type ApiClients = ReturnType<typeof openClients>;
