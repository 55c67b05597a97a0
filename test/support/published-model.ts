import { globSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PROJECT } from "./project.ts";

/* The models of the services as the AWS CLI of the test tools carries them: they hold every length, pattern and range. */

export interface PublishedMember {
  readonly shape: string;
  readonly location?: string;
  readonly locationName?: string;
}

export interface PublishedShape {
  readonly type: string;
  readonly required?: readonly string[];
  readonly members?: Readonly<Record<string, PublishedMember>>;
  readonly member?: PublishedMember;
  readonly key?: PublishedMember;
  readonly value?: PublishedMember;
  readonly min?: number;
  readonly max?: number;
  readonly pattern?: string;
  readonly enum?: readonly string[];
  readonly union?: boolean;
  readonly error?: { readonly httpStatusCode: number };
  readonly exception?: boolean;
}

export interface PublishedModel {
  readonly operations: Readonly<
    Record<
      string,
      {
        readonly http: { readonly method: string; readonly requestUri: string; readonly responseCode: number };
        readonly input: { readonly shape: string };
        readonly output: { readonly shape: string };
      }
    >
  >;
  readonly shapes: Readonly<Record<string, PublishedShape>>;
}

/** Where the service's model is; undefined, and said, where the AWS CLI is missing. */
export function publishedModelFile(service: string): string | undefined {
  const data = `.cache/awscli/lib/*/site-packages/awscli/botocore/data/${service}/*/service-2.json`;
  const [file] = globSync(join(PROJECT, data));
  if (file === undefined) console.warn("SKIPPED: the AWS CLI is missing; run ./dev setup");
  return file;
}

export async function readPublishedModel(file: string | undefined): Promise<PublishedModel> {
  return JSON.parse(await readFile(file ?? "", "utf8")) as PublishedModel;
}
