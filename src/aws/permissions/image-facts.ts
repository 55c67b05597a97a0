import { parseImageArn } from "../../model/arn.ts";
import { parseImageVersion } from "../../model/ids.ts";
import { findImage, imageTags } from "../../store/image-store.ts";
import type { Store } from "../../store/store.ts";
import { findRunnableVersion } from "../../store/version-store.ts";

/** What policies need to know of images and microVMs beyond the request. */
export interface ImageFacts {
  /** MicroVMs have no ARN of their own: calls on them are judged by their image (contract 12). */
  imageOf(accountId: string, microvmId: string): Promise<string | undefined>;
  tagsOf(accountId: string, imageArn: string): Promise<Readonly<Record<string, string>>>;
  /** The egress connectors that a run gets when it names none. */
  egressOf(accountId: string, imageArn: string, version: string | undefined): Promise<readonly string[]>;
}

export function createImageFacts({ db }: Store): ImageFacts {
  return {
    async imageOf(accountId, microvmId) {
      const row = await db
        .selectFrom("microvms")
        .select("image_arn")
        .where("id", "=", microvmId)
        .where("account_id", "=", accountId)
        .executeTakeFirst();
      return row?.image_arn;
    },
    async tagsOf(accountId, arn) {
      const image = parseImageArn(arn) && (await findImage(db, { accountId }, arn));
      return image ? imageTags(image) : {};
    },
    async egressOf(accountId, arn, version) {
      const image = parseImageArn(arn) && (await findImage(db, { accountId }, arn));
      const number = version === undefined ? undefined : parseImageVersion(version);
      if (!image || (version !== undefined && number === undefined)) return [];
      const row = await findRunnableVersion(db, arn, number);
      const settings = row && (JSON.parse(row.request_json) as { egressNetworkConnectors?: readonly string[] });
      return settings?.egressNetworkConnectors ?? [];
    },
  };
}
