import type {
  ListManagedMicrovmImagesCommandInput,
  ListManagedMicrovmImagesCommandOutput,
} from "@aws-sdk/client-lambda-microvms";
import type { Operation } from "../service.ts";
import { listPage } from "./list-page.ts";
import { MANAGED_CREATED_AT, MANAGED_UPDATED_AT, managedImageArn } from "./managed-images.ts";

export function listManagedMicrovmImages(): Operation<
  ListManagedMicrovmImagesCommandInput,
  Omit<ListManagedMicrovmImagesCommandOutput, "$metadata">
> {
  return async (input, { accountId, region }) => {
    const images = [
      { imageArn: managedImageArn(region), createdAt: MANAGED_CREATED_AT, updatedAt: MANAGED_UPDATED_AT },
    ];
    return listPage(
      input,
      ["ListManagedMicrovmImages", accountId, region],
      async ({ after, limit }) =>
        images.filter((image) => after === undefined || image.imageArn > after).slice(0, limit),
      (image) => image.imageArn,
    );
  };
}
