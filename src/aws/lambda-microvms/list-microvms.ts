import type { ListMicrovmsCommandInput, ListMicrovmsCommandOutput } from "@aws-sdk/client-lambda-microvms";
import type { MicrovmView } from "../../lifecycle/microvm-service.ts";
import { formatImageVersion, parseImageVersion } from "../../model/ids.ts";
import type { MicrovmPage } from "../../store/microvm-store.ts";
import type { Operation } from "../service.ts";
import type { Dependencies } from "./dependencies.ts";
import { checkImageArn } from "./image-lookup.ts";
import { listPage, numericPosition } from "./list-page.ts";

export function listMicrovms({
  microvms,
}: Dependencies): Operation<ListMicrovmsCommandInput, Omit<ListMicrovmsCommandOutput, "$metadata">> {
  return async (input, { accountId, region }) => {
    const imageArn = input.imageIdentifier === undefined ? undefined : checkImageArn(input.imageIdentifier);
    const imageVersion = input.imageVersion === undefined ? undefined : spellVersion(input.imageVersion);
    const { items, nextToken } = await listPage(
      input,
      ["ListMicrovms", accountId, region],
      ({ after, limit }) => microvms.list({ accountId, region }, { after: readPosition(after), limit }),
      (view) => `${view.startedAt.getTime()} ${view.microvmId}`,
    );
    const wanted = items
      .filter((view) => imageArn === undefined || view.imageArn === imageArn)
      .filter((view) => imageVersion === undefined || view.imageVersion === imageVersion);
    return { items: wanted.map(summary), nextToken };
  };
}

function readPosition(position: string | undefined): MicrovmPage["after"] {
  if (position === undefined) return undefined;
  const [startedAt, id = ""] = position.split(" ");
  return { startedAt: numericPosition(startedAt) ?? 0, id };
}

function spellVersion(text: string): string {
  const number = parseImageVersion(text);
  return number === undefined ? text : formatImageVersion(number);
}

function summary({ microvmId, state, imageArn, imageVersion, startedAt }: MicrovmView) {
  return { microvmId, state, imageArn, imageVersion, startedAt };
}
