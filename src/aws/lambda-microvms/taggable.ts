import type { Kysely } from "kysely";
import { parseConnectorArn } from "../../model/connectors.ts";
import { connectorTags, findConnector, updateConnector } from "../../store/connector-store.ts";
import { findImage, imageTags, setImageTags, type ImageOwner } from "../../store/image-store.ts";
import type { Database } from "../../store/tables.ts";
import { connectorNotFound } from "./connector-rules.ts";
import { imageNotFound } from "./faults.ts";

/** What the tag operations speak of: an image or a network connector. */
export interface Taggable {
  readonly tags: Readonly<Record<string, string>>;
  save(tags: Readonly<Record<string, string>>): Promise<void>;
}

/** Other Lambda resources do not exist here; in every Region, as the ARN names its own. */
export async function requireTaggable(db: Kysely<Database>, owner: ImageOwner, arn: string): Promise<Taggable> {
  const named = parseConnectorArn(arn);
  if (named.kind === "customer") {
    const row = await findConnector(db, { ...owner, region: named.region }, { arn });
    if (!row) throw connectorNotFound(arn);
    return {
      tags: connectorTags(row),
      save: (tags) => updateConnector(db, row.id, { tags_json: JSON.stringify(tags) }),
    };
  }
  const row = await findImage(db, owner, arn);
  if (!row) throw imageNotFound(arn);
  return { tags: imageTags(row), save: (tags) => setImageTags(db, row.arn, tags) };
}
