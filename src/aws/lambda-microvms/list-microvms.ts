import type { ListMicrovmsCommandInput, ListMicrovmsCommandOutput } from "@aws-sdk/client-lambda-microvms";
import type { MicrovmView } from "../../lifecycle/microvm-service.ts";
import { formatImageVersion, parseImageVersion } from "../../model/ids.ts";
import type { Operation } from "../service.ts";
import type { Dependencies } from "./dependencies.ts";
import { checkImageArn } from "./image-lookup.ts";
import { listPage } from "./list-page.ts";

export function listMicrovms({
  microvms,
}: Dependencies): Operation<ListMicrovmsCommandInput, Omit<ListMicrovmsCommandOutput, "$metadata">> {
  return async (input, { accountId, region }) => {
    const imageArn = input.imageIdentifier === undefined ? undefined : checkImageArn(input.imageIdentifier);
    const imageVersion = input.imageVersion === undefined ? undefined : spellVersion(input.imageVersion);
    const { items, nextToken } = await listPage(
      input,
      ["ListMicrovms", accountId, region],
      async ({ after, limit }) => {
        const mine = (await microvms.list({ accountId })).filter((view) => view.region === region);
        const ordered = mine
          .map((view) => ({ view, position: positionOf(view) }))
          .toSorted((a, b) => (a.position < b.position ? -1 : 1));
        return ordered.filter(({ position }) => after === undefined || position > after).slice(0, limit);
      },
      ({ position }) => position,
    );
    const wanted = items
      .map(({ view }) => view)
      .filter((view) => imageArn === undefined || view.imageArn === imageArn)
      .filter((view) => imageVersion === undefined || view.imageVersion === imageVersion);
    return { items: wanted.map(summary), nextToken };
  };
}

/** Oldest first, so that microVMs started while somebody pages come at the end. */
function positionOf(view: MicrovmView): string {
  return `${String(view.startedAt.getTime()).padStart(15, "0")} ${view.microvmId}`;
}

function spellVersion(text: string): string {
  const number = parseImageVersion(text);
  return number === undefined ? text : formatImageVersion(number);
}

function summary({ microvmId, state, imageArn, imageVersion, startedAt }: MicrovmView) {
  return { microvmId, state, imageArn, imageVersion, startedAt };
}
