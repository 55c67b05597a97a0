import type { ListMicrovmImagesCommandInput, ListMicrovmImagesCommandOutput } from "@aws-sdk/client-lambda-microvms";
import { listImages } from "../../store/image-store.ts";
import { latestVersions } from "../../store/version-store.ts";
import type { Operation } from "../service.ts";
import type { Dependencies } from "./dependencies.ts";
import { imageSummary } from "./image-view.ts";
import { listPage } from "./list-page.ts";

export function listMicrovmImages({
  store,
}: Dependencies): Operation<ListMicrovmImagesCommandInput, Omit<ListMicrovmImagesCommandOutput, "$metadata">> {
  return async (input, context) => {
    const { items, nextToken } = await listPage(
      input,
      ["ListMicrovmImages", context.accountId, context.region],
      (page) => listImages(store.db, context, page),
      (row) => row.name,
    );
    const named = items.filter((row) => input.nameFilter === undefined || row.name.includes(input.nameFilter));
    const latest = await latestVersions(
      store.db,
      named.map((row) => row.arn),
    );
    return { items: named.map((row) => imageSummary(row, latest.get(row.arn))), nextToken };
  };
}
